import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import type { DatasetFormat, FormatContext, SampleSet } from "@thaw/contracts";
import { z } from "zod";
import { setEmpty } from "../../errors/files.js";
import { openAny } from "../any-table.js";
import { isItem, ofSplit } from "../item-files.js";
import { joinedSets } from "../joined.js";
import { fileName, nameWithConcepts } from "../names.js";
import { setOfRecords } from "../record-set.js";
import { ROW_OPTIONS, rowReader } from "../row-options.js";

const METADATA = /^metadata\.(?:jsonl|csv|parquet)$/;

/** A folder of pictures with metadata.jsonl or .csv, or with a folder per label. */
export const imageFolderSchema = z.strictObject({
  path: z
    .string()
    .min(1)
    .meta({ format: "hub-or-path", description: "A folder as Hugging Face's imagefolder reads it." }),
  split: z
    .string()
    .optional()
    .describe("train, validation or test, by names of folders. Default: train; for evaluation validation, else test."),
  ...ROW_OPTIONS,
});

type ImageFolderOptions = z.output<typeof imageFolderSchema>;

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

/** What says which split a file belongs to: the folders that it lies in. */
function ofWantedSplit(
  files: readonly string[],
  { split }: ImageFolderOptions,
  role: FormatContext["role"],
  origin: string,
) {
  const folders = [...new Set(files.map((file) => file.split(sep).slice(0, -1)[0] ?? ""))];
  const wanted = new Set(ofSplit(folders, split, role, origin));
  return files.filter((file) => wanted.has(file.split(sep).slice(0, -1)[0] ?? ""));
}

/** Rows of a metadata file, which name their pictures relative to it. */
async function withMetadata(path: string, options: ImageFolderOptions, context: FormatContext): Promise<SampleSet> {
  const own = { images: dirname(path), ...options };
  return setOfRecords(path, await openAny(path), options, rowReader(own, { path }, context));
}

/** Pictures in a folder per label, which is their caption. */
function withLabels(folder: string, files: readonly string[], options: ImageFolderOptions, context: FormatContext) {
  const read = rowReader(options, { path: folder, isFolder: true }, context);
  const records = files.map((file) => ({
    value: { id: file, image: join(folder, file), caption: basename(dirname(file)).replaceAll(/[_-]+/g, " ") },
    origin: join(folder, file),
  }));
  const { exif, concepts } = options;
  return {
    origin: folder,
    count: records.length,
    exif,
    ...(concepts === undefined ? {} : { concepts }),
    read: (index: number) => Promise.resolve().then(() => read(records[index]!)),
  };
}

/** Hugging Face's imagefolder. */
export const imageFolderFormat: DatasetFormat<ImageFolderOptions> = {
  type: "imagefolder",
  summary: "A folder of images with metadata.jsonl or metadata.csv (file_name and text), or with a folder per label.",
  schema: imageFolderSchema,
  recognises: async (path) => {
    const isFolder = await stat(path).then((status) => status.isDirectory());
    if (!isFolder) return undefined;
    const files = await filesBelow(path);
    return files.some((file) => METADATA.test(basename(file))) ? { path } : undefined;
  },
  nameOf: ({ path, concepts, split }) =>
    nameWithConcepts([fileName(path), ...(split === undefined ? [] : [split])].join("-"), concepts),
  open: async (options, context) => {
    const folder = resolve(context.baseFolder, options.path);
    const files = ofWantedSplit(await filesBelow(folder), options, context.role, folder);
    const metadata = files.filter((file) => METADATA.test(basename(file)));
    if (metadata.length > 0)
      return joinedSets(await Promise.all(metadata.map((file) => withMetadata(join(folder, file), options, context))));
    const labelled = files.filter((file) => isItem(file) && file.includes(sep));
    if (labelled.length === 0)
      throw setEmpty(folder, "Write a metadata.jsonl with file_name and text, or put images into a folder per label.");
    return withLabels(folder, labelled, options, context);
  },
};
