import { resolve } from "node:path";
import type { DatasetFormat, SampleSet } from "@thaw/contracts";
import { z } from "zod";
import { type ByteFile, headOf, openBytes } from "../../records/byte-file.js";
import { recognise, TELLING_BYTES } from "../../records/first-bytes.js";
import { Places } from "../../records/places.js";
import { hashOfPlaces, type JsonRecord, recordOf, textOf } from "../../records/records.js";
import { modalityOf, StoredItem } from "../../samples/media-reference.js";
import { filesOf, isItem, ofSplit } from "../item-files.js";
import { joinedSets } from "../joined.js";
import { fileName, nameWithConcepts } from "../names.js";
import { setOfRecords } from "../record-set.js";
import { ROW_OPTIONS, rowReader } from "../row-options.js";
import { shardFolder, shardPaths } from "./shard-paths.js";
import { tarMembers, type TarMember } from "./tar-index.js";

/** Shards of a WebDataset: files of one sample stand side by side and differ in their extensions. */
export const webDatasetSchema = z.strictObject({
  path: z
    .string()
    .min(1)
    .meta({ format: "hub-or-path", description: "A tar archive, a folder of them, or shard-{000..012}.tar." }),
  split: z
    .string()
    .optional()
    .describe("train, validation or test, by the shards' names. Default: train; for evaluation validation, else test."),
  ...ROW_OPTIONS,
});

/** The sample that a file belongs to, and what it is of it: WebDataset's `base_plus_ext`. */
function partsOf(name: string): readonly [key: string, extension: string] {
  const match = /^((?:.*\/)?[^/.]+)\.([^/]*)$/.exec(name);
  return match === null ? [name, ""] : [match[1]!, match[2]!];
}

/** Where the samples of a shard lie: from the first header of its first file to the end of its last one. */
async function indexSamples(file: ByteFile): Promise<Places> {
  const places = new Places();
  let last: string | undefined;
  let start = 0;
  let end = 0;
  for await (const { name, offset, length, start: own } of tarMembers(file)) {
    const [key, extension] = partsOf(name);
    if (extension === "" || name.split("/").at(-1)!.startsWith(".")) continue;
    if (last !== undefined && key !== last) places.add(start, end);
    if (key !== last) start = own;
    last = key;
    end = offset + length;
  }
  if (last !== undefined) places.add(start, end);
  return places;
}

const TEXT_NAMES: Readonly<Record<string, string>> = { txt: "caption", text: "caption", caption: "caption" };

/** A sample's files as one record: JSON gives its fields, texts the caption, the others items. */
async function recordAt(file: ByteFile, path: string, start: number, end: number): Promise<JsonRecord> {
  const value: Record<string, unknown> = {};
  const items = { image: [] as StoredItem[], audio: [] as StoredItem[] };
  let origin = path;
  const bytesOf = ({ offset, length }: TarMember): Promise<Buffer> => file.read(offset, length);
  for await (const member of tarMembers(file, start, end)) {
    const [key, extension] = partsOf(member.name);
    if (extension === "") continue;
    const { name, offset, length } = member;
    origin = `${path} ${key}`;
    value["id"] ??= key;
    if (isItem(name)) {
      items[modalityOf(name)].push(new StoredItem({ kind: "range", path: file.path, name, offset, length }));
      value[extension] = items[modalityOf(name)].at(-1);
    } else if (extension === "json") {
      const read = recordOf(await bytesOf(member), `${path} ${name}`, "A .json file of a sample holds one object.");
      Object.assign(value, read.value);
    } else if (/^(?:txt|text|caption|cls|question|answer)$/.test(extension))
      value[TEXT_NAMES[extension] ?? extension] = textOf(await bytesOf(member), `${path} ${name}`, "text").trim();
  }
  for (const [modality, own] of Object.entries(items)) if (own.length > 0) value[`${modality}s`] = own;
  return { value, origin };
}

async function openShard(
  path: string,
  options: z.output<typeof webDatasetSchema>,
  read: (record: JsonRecord) => ReturnType<ReturnType<typeof rowReader>>,
): Promise<SampleSet> {
  const file = await openBytes(path);
  try {
    const places = await indexSamples(file);
    return setOfRecords(
      path,
      {
        count: places.count,
        read: (index) => {
          const start = places.startOf(index);
          return recordAt(file, path, start, start + places.lengthOf(index));
        },
        fingerprint: (first, end) => hashOfPlaces(file, places, first, end),
        close: () => file.close(),
      },
      options,
      read,
    );
  } catch (cause) {
    await file.close();
    throw cause;
  }
}

/** WebDataset. */
export const webDatasetFormat: DatasetFormat<z.output<typeof webDatasetSchema>> = {
  type: "webdataset",
  summary: "Tar archives in which the files of a sample stand side by side: 0001.jpg, 0001.txt or 0001.json.",
  schema: webDatasetSchema,
  recognises: async (path) => {
    const [first] = await filesOf(path, /\.tar$/i);
    if (first === undefined) return undefined;
    const found = recognise(await headOf(first, TELLING_BYTES));
    return found?.name === "a tar archive" ? { path } : undefined;
  },
  nameOf: ({ path, concepts, split }) =>
    nameWithConcepts([fileName(path), ...(split === undefined ? [] : [split])].join("-"), concepts),
  open: async (options, context) => {
    const given = resolve(context.baseFolder, options.path);
    // What lies above the shards says nothing of their splits: /home/test, /dev/shm
    const folder = await shardFolder(given);
    const names = (await shardPaths(given)).map((path) => path.slice(folder.length));
    const paths = ofSplit(names, options.split, context.role, given).map((name) => folder + name);
    const read = rowReader(options, { path: given }, context);
    const sets: SampleSet[] = [];
    for (const path of paths) sets.push(await openShard(path, options, read));
    return joinedSets(sets);
  },
};
