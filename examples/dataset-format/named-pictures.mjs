/** A plugin with one dataset format: a folder of pictures whose file names are their captions. */
import { readdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { API_VERSION, definePlugin, ThawError } from "@thaw/core";
import { z } from "zod";

const schema = z.strictObject({
  folder: z.string().min(1).describe("A folder of PNG, JPEG or WebP files: `fire-engine.png` shows a fire engine."),
});

/** `fire-engine.png` is `fire engine`. */
const captionOf = (file) =>
  basename(file)
    .replace(/\.\w+$/u, "")
    .replaceAll(/[-_]+/gu, " ");

export const namedPictures = {
  type: "named-pictures",
  summary: "A folder of pictures whose file names are their captions.",
  schema,
  nameOf: ({ folder }) => basename(folder),
  async open({ folder }, { baseFolder, captionPrompt }) {
    const place = resolve(baseFolder, folder);
    const files = (await readdir(place)).filter((file) => /\.(png|jpe?g|webp)$/iu.test(file)).toSorted();
    if (files.length === 0)
      throw new ThawError("NAMED_PICTURES_NONE", `No picture was found. In ${place}. Name a folder that has some.`);
    return {
      origin: place,
      count: files.length,
      async read(index) {
        const file = files[index];
        return {
          id: file,
          origin: join(place, file),
          messages: [
            { role: "user", content: [{ type: "image" }, { type: "text", text: captionPrompt }] },
            { role: "assistant", content: [{ type: "text", text: captionOf(file) }] },
          ],
          media: [{ modality: "image", source: { kind: "file", path: join(place, file) } }],
          reference: captionOf(file),
        };
      },
    };
  },
};

export default definePlugin({
  name: "NamedPicturesPlugin",
  apiVersion: API_VERSION,
  provides: { formats: [namedPictures] },
});
