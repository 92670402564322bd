import { dirname, resolve } from "node:path";
import type { DatasetFormat } from "@thaw/contracts";
import { z } from "zod";
import { captionSample } from "../../samples/captions.js";
import { mediaFolders } from "../../samples/media-reference.js";
import { fileName, nameWithConcepts } from "../names.js";
import { audios, concepts, exif, images, prompt } from "../options.js";
import { recordSet } from "../record-set.js";
import { firstRecord } from "../recognise.js";

/** `{ image, caption }` or `{ audio, caption }` per line. */
export const captionsSchema = z.strictObject({
  path: z
    .string()
    .min(1)
    .meta({ format: "hub-or-path", description: "A JSONL file, or a .json file that is one list of such objects." }),
  images,
  audios,
  prompt,
  concepts,
  exif,
});

/** JSONL with a caption per item. */
export const captionsFormat: DatasetFormat<z.output<typeof captionsSchema>> = {
  type: "captions",
  summary: "JSONL with { image, caption } or { audio, caption } per line.",
  schema: captionsSchema,
  recognises: async (path) => ((await firstRecord(path)) === undefined ? undefined : { path }),
  nameOf: ({ path, concepts: part }) => nameWithConcepts(fileName(path), part),
  open: async (options, { baseFolder, captionPrompt }) => {
    const path = resolve(baseFolder, options.path);
    const folders = mediaFolders(options, dirname(path), baseFolder);
    return recordSet(options, path, (record) =>
      captionSample(record, { folders, prompt: options.prompt ?? captionPrompt }),
    );
  },
};
