import { readFile } from "node:fs/promises";
import { rasterizeSvg, encodePng, loadSharp } from "./decode.js";
import { mediaBroken } from "../errors.js";
import { mediaName } from "../samples/media-reference.js";
import type { ImageReference } from "../samples/sample.js";

/** A small PNG of an image for reports, at most `size` pixels a side. @throws THAW_DATA_IMAGE_BROKEN */
export async function thumbnail(image: ImageReference, size: number): Promise<Uint8Array> {
  try {
    if (image.kind === "svg")
      return await encodePng(await rasterizeSvg(image.svg, { width: size, height: size }, image.background));
    const bytes = image.kind === "file" ? await readFile(image.path) : image.bytes;
    return await (
      await loadSharp()
    )(bytes)
      .autoOrient()
      .resize(size, size, { fit: "inside", withoutEnlargement: true })
      .png()
      .toBuffer();
  } catch (cause) {
    throw mediaBroken("image", mediaName({ source: image }), "a report", cause);
  }
}
