import { readdir, readFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import type { DatasetFormat, Sample, SampleSet } from "@thaw/contracts";
import { z } from "zod";
import { fileUnreadable } from "../../errors/files.js";
import { sampleInvalid } from "../../errors/samples.js";
import { textOf } from "../../records/records.js";
import { captionSample } from "../../samples/captions.js";
import { modalityOf } from "../../samples/media-reference.js";
import { isItem } from "../item-files.js";
import { fileName, nameWithConcepts } from "../names.js";
import { concepts, exif, prompt } from "../options.js";

/** Pictures or sounds, each beside a text of the same name. */
export const folderSchema = z.strictObject({
  path: z.string().min(1).meta({ format: "hub-or-path", description: "A folder; those within it are read too." }),
  extension: z
    .string()
    .regex(/^\.?\w+$/, "An extension is written txt or .txt.")
    .default("txt")
    .describe("How the names of the texts end."),
  prompt,
  concepts,
  exif,
});

/** Paths of all files below a folder that are items, in order. */
async function itemsBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch((cause: unknown) => {
    throw fileUnreadable(folder, "The folder", cause);
  });
  return entries
    .filter((entry) => !entry.isDirectory() && isItem(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** `a.jpg` beside `a.txt`. */
export const folderFormat: DatasetFormat<z.output<typeof folderSchema>> = {
  type: "folder",
  summary: "A folder of images or sounds, each beside a text of the same name that is its caption: a.jpg, a.txt.",
  schema: folderSchema,
  recognises: async (path) => {
    const names = await readdir(path).catch(() => []);
    const all = new Set(names);
    const hasPair = names.some((name) => isItem(name) && all.has(name.replace(/\.\w+$/, ".txt")));
    return hasPair ? { path } : undefined;
  },
  nameOf: ({ path, concepts: part }) => nameWithConcepts(fileName(path), part),
  open: async (options, { baseFolder, captionPrompt }): Promise<SampleSet> => {
    const folder = resolve(baseFolder, options.path);
    const items = await itemsBelow(folder);
    const extension = `.${options.extension.replace(/^\./, "")}`;
    const read = async (index: number): Promise<Sample> => {
      const item = items[index]!;
      const text = item.replace(/\.\w+$/, extension);
      const bytes = await readFile(text).catch(() => {
        throw sampleInvalid(item, `There is no text ${text}.`, "Write its caption there, or remove the item.");
      });
      const value = { id: relative(folder, item), [modalityOf(item)]: item, caption: textOf(bytes, text, "text") };
      const folders = { image: folder, audio: folder };
      return captionSample({ value, origin: item }, { folders, prompt: options.prompt ?? captionPrompt });
    };
    const { exif: isTurned, concepts: part } = options;
    return {
      origin: folder,
      count: items.length,
      read,
      exif: isTurned,
      ...(part === undefined ? {} : { concepts: part }),
    };
  },
};
