import { stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { type DatasetFormat, nameList, nearestNames, parseJson, readPlainFile, MAX_TEXT_BYTES } from "@thaw/contracts";
import { z } from "zod";
import { datasetUnknown, fileMalformed, fileUnreadable } from "../../errors/files.js";
import { conversationSample } from "../../samples/conversations.js";
import { mediaFolders } from "../../samples/media-reference.js";
import { openAny } from "../any-table.js";
import { filesOf } from "../item-files.js";
import { joinedSets } from "../joined.js";
import { audios, exif, images, textOnly } from "../options.js";
import { setOfRecords } from "../record-set.js";
import { firstOf } from "../sample-sets.js";
import { type Entry, entrySchema, turnsOf } from "./entry.js";

const FILE = "dataset_info.json";
const DATA_FILE = /\.(?:jsonl?|csv|parquet|arrow)$/i;

/** Data sets that LLaMA-Factory's `dataset_info.json` names. */
export const llamaFactorySchema = z.strictObject({
  path: z
    .string()
    .min(1)
    .meta({ format: "hub-or-path", description: `A ${FILE}, or the folder that holds it.` }),
  dataset: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .describe("Name of a data set in it, several as a list or with commas between them."),
  images,
  audios,
  textOnly,
  exif,
});

async function infoOf(path: string): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await readPlainFile(path, MAX_TEXT_BYTES).catch((cause: unknown) => {
    throw fileUnreadable(path, "The list of data sets", cause);
  });
  let value: unknown;
  try {
    value = parseJson(bytes.toString("utf8"));
  } catch (cause) {
    throw fileMalformed(path, "The text is not valid JSON.", "Correct it.", cause);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw fileMalformed(path, "The value is not a JSON object.", "It holds one entry per data set.");
  return value as Readonly<Record<string, unknown>>;
}

function entryOf(info: Readonly<Record<string, unknown>>, name: string, path: string): Entry {
  if (!Object.hasOwn(info, name)) throw datasetUnknown(path, name, nearestNames(name, Object.keys(info)));
  const result = entrySchema.safeParse(info[name]);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path: at, message }) => [...at, message].join(": "));
  throw fileMalformed(`${path} > ${name}`, `The entry cannot be read: ${nameList(problems)}.`, "Correct it there.");
}

/** LLaMA-Factory's list of data sets. */
export const llamaFactoryFormat: DatasetFormat<z.output<typeof llamaFactorySchema>> = {
  type: "llama-factory",
  summary: "Data sets that a dataset_info.json of LLaMA-Factory names, with its columns and tags.",
  schema: llamaFactorySchema,
  nameOf: ({ dataset }) => (typeof dataset === "string" ? dataset.replaceAll(/\s*,\s*/g, "-") : dataset.join("-")),
  open: async (options, { baseFolder }) => {
    const given = resolve(baseFolder, options.path);
    const isFolder = await stat(given).then(
      (status) => status.isDirectory(),
      () => false,
    );
    const path = isFolder ? join(given, FILE) : given;
    const info = await infoOf(path);
    const { dataset, textOnly: isTextOnly, exif: isTurned } = options;
    const names = typeof dataset === "string" ? dataset.split(",").map((name) => name.trim()) : dataset;
    const folders = mediaFolders(options, dirname(path), baseFolder);
    const sets = [];
    for (const name of names) {
      const entry = entryOf(info, name, path);
      for (const file of await filesOf(resolve(dirname(path), entry.file_name), DATA_FILE)) {
        const set = setOfRecords(file, await openAny(file), { exif: isTurned }, ({ value, origin }) =>
          conversationSample(
            { value: turnsOf(value, entry, origin), origin: `${basename(path)} ${name}, ${origin}` },
            { folders, textOnly: isTextOnly },
          ),
        );
        sets.push(entry.num_samples === undefined ? set : firstOf(set, entry.num_samples));
      }
    }
    return joinedSets(sets);
  },
};
