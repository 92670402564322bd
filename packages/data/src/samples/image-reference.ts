import { resolve } from "node:path";
import { sampleInvalid } from "../errors.js";
import type { ImageReference, SampleMedia } from "./sample.js";

const DATA_URI = /^data:image\/[\w.+-]+;base64,/;

/**
 * An image as data files write it: a path, a `data:` URI, or an object with `path`, `url` or `image`. @throws
 * THAW_DATA_SAMPLE_INVALID
 */
export function imageReference(value: unknown, folder: string, origin: string): ImageReference {
  if (typeof value === "object" && value !== null) {
    const { path, url, image } = value as Readonly<Record<string, unknown>>;
    const inner = path ?? url ?? image;
    if (inner !== undefined) return imageReference(inner, folder, origin);
  }
  if (typeof value !== "string" || value === "")
    throw sampleInvalid(
      origin,
      `The image ${JSON.stringify(value)} (${typeof value}) is not a path.`,
      "Give the path of an image file.",
    );
  const uri = DATA_URI.exec(value);
  if (uri !== null) return { kind: "bytes", bytes: Buffer.from(value.slice(uri[0].length), "base64") };
  if (/^https?:/.test(value))
    throw sampleInvalid(
      origin,
      `The image ${value} is a web address.`,
      "Download the image and give its path: nothing is fetched while training.",
    );
  return { kind: "file", path: resolve(folder, value.replace(/^file:\/\//, "")) };
}

/** The `image` or `images` of a sample: none, one, or a list. */
export function imageReferences(value: unknown, folder: string, origin: string): ImageReference[] {
  if (value === undefined || value === null) return [];
  return (Array.isArray(value) ? value : [value]).map((entry) => imageReference(entry, folder, origin));
}

/** Images as items of a sample. */
export function imageMedia(images: readonly ImageReference[]): readonly SampleMedia[] {
  return images.map((source) => ({ modality: "image", source }));
}

/** What to call an image in messages. */
export function imageName(image: ImageReference): string {
  return image.kind === "file" ? image.path : image.kind === "svg" ? "(drawing)" : "(inline bytes)";
}
