import { readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type DatasetFormat, nameList, parseJson, type SampleSet } from "@thaw/contracts";
import { z } from "zod";
import { setEmpty } from "../../errors/files.js";
import { headOf } from "../../records/byte-file.js";
import { filesOf, ofSplit } from "../item-files.js";
import { joinedSets } from "../joined.js";
import { fileName, nameWithConcepts } from "../names.js";
import { setOfRecords } from "../record-set.js";
import { ROW_OPTIONS, rowReader } from "../row-options.js";

const ARROW = /\.arrow$/i;

/** An Arrow file, or a folder that `datasets` saved. */
export const arrowSchema = z.strictObject({
  path: z
    .string()
    .min(1)
    .meta({ format: "hub-or-path", description: "An Arrow file, or a folder written by save_to_disk." }),
  split: z
    .string()
    .optional()
    .describe("Of a folder with several. Default: train; for evaluation validation, else test."),
  ...ROW_OPTIONS,
});

/** A JSON file of a folder, undefined where there is none. */
async function jsonIn(folder: string, name: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  const text = await readFile(join(folder, name), "utf8").catch(() => undefined);
  return text === undefined ? undefined : (parseJson(text) as Readonly<Record<string, unknown>>);
}

/** The folder of the wanted split of a `DatasetDict`, or the folder itself. */
async function splitFolder(folder: string, wanted: string | undefined, role: "train" | "evaluation"): Promise<string> {
  const splits = (await jsonIn(folder, "dataset_dict.json"))?.["splits"];
  if (!Array.isArray(splits)) return folder;
  const names = splits.map(String);
  const unasked = role === "train" ? ["train"] : ["validation", "test", "train"];
  const split = wanted ?? unasked.find((name) => names.includes(name));
  if (split === undefined || !names.includes(split))
    throw setEmpty(folder, `It has no split "${split ?? unasked[0]!}"; split can be ${nameList(names)}.`);
  return join(folder, split);
}

/** The files of a folder in the order that `datasets` keeps them in, else by name. */
async function filesIn(
  folder: string,
  wanted: string | undefined,
  role: "train" | "evaluation",
): Promise<readonly string[]> {
  const files = (await jsonIn(folder, "state.json"))?.["_data_files"];
  if (Array.isArray(files)) return files.map((file) => join(folder, (file as { readonly filename: string }).filename));
  return ofSplit(await filesOf(folder, ARROW), wanted, role, folder);
}

/** Arrow, as `datasets` keeps data sets on a disk. */
export const arrowFormat: DatasetFormat<z.output<typeof arrowSchema>> = {
  type: "arrow",
  summary: "Arrow, as Hugging Face's datasets saves it (save_to_disk): a folder, one with splits, or one file.",
  schema: arrowSchema,
  recognises: async (path) => {
    const [first] = await filesOf(path, ARROW);
    if (first === undefined) return undefined;
    const head = await headOf(first, 6);
    const isStream = head.length >= 4 && head.readUInt32LE(0) === 0xffffffff;
    return isStream || head.toString("latin1") === "ARROW1" ? { path } : undefined;
  },
  nameOf: ({ path, concepts, split }) =>
    nameWithConcepts([fileName(path), ...(split === undefined ? [] : [split])].join("-"), concepts),
  open: async (options, context) => {
    const given = resolve(context.baseFolder, options.path);
    const isFolder = await stat(given).then(
      (status) => status.isDirectory(),
      () => false,
    );
    const folder = isFolder ? await splitFolder(given, options.split, context.role) : given;
    const files = isFolder
      ? await filesIn(folder, folder === given ? options.split : undefined, context.role)
      : [given];
    if (files.length === 0) throw setEmpty(given, "The folder holds no .arrow file.");
    const { openArrow } = await import("./rows.js");
    const read = rowReader(options, { path: given, isFolder }, context);
    const sets: SampleSet[] = [];
    for (const file of files) sets.push(setOfRecords(file, await openArrow(file), options, read));
    return joinedSets(sets);
  },
};
