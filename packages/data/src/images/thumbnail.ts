import type { ImageReference } from "@thaw/contracts";
import { rasterizeSvg, encodePng, loadSharp } from "./decode.js";
import { mediaBroken } from "../errors/media.js";
import { readMedia } from "../media/stored-bytes.js";
import { MAX_IMAGE_BYTES } from "./size-limits.js";
import { mediaName } from "../samples/media-reference.js";

/** A small PNG of an image for reports, at most `size` pixels a side. @throws THAW_DATA_IMAGE_BROKEN */
export async function thumbnail(image: ImageReference, size: number): Promise<Uint8Array> {
  try {
    if (image.kind === "svg")
      return await encodePng(await rasterizeSvg(image.svg, { width: size, height: size }, image.background));
    const bytes = await readMedia(image, MAX_IMAGE_BYTES);
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
