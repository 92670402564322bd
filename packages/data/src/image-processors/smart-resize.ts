import type { ImageSize } from "../images/processor.js";
import { roundHalfEven } from "./rounding.js";

/** How large images become. */
export interface SmartResize {
  /** Sides become multiples of this: pixels a side of a token. */
  readonly factor: number;
  /** Bounds of the pixels, each counted `frames` times. */
  readonly minPixels: number;
  readonly maxPixels: number;
  /** Frames that a still image stands for (GLM). Default: 1. */
  readonly frames?: number;
  /**
   * What becomes of images with a side below the factor before anything else: both sides grow by one scale and are cut
   * off (GLM), or one side after the other becomes the factor and the other is rounded (PaddleOCR). Absent: nothing.
   */
  readonly small?: "scaled" | "rounded";
}

/** Longest side over the shortest one, at most. */
const MAX_ASPECT = 200;

/**
 * The size of an image whose sides are multiples, whose pixels lie within the bounds and whose aspect is about the
 * same. Source: transformers 5.24, `smart_resize` of `image_processing_pil_qwen2_vl.py`, `..._glm4v.py` and
 * `..._paddleocr_vl.py`. @throws Error for an image that is too narrow
 */
export function smartResize(image: ImageSize, options: SmartResize): ImageSize {
  const { factor, minPixels, maxPixels, frames = 1 } = options;
  const { height, width } = grown(image, options);
  if (Math.max(height, width) / Math.min(height, width) > MAX_ASPECT)
    throw new Error(`its sides ${image.width} x ${image.height} differ by more than ${MAX_ASPECT} times`);
  const to = (side: number, round: (value: number) => number): number => round(side / factor) * factor;
  const near = { height: to(height, roundHalfEven), width: to(width, roundHalfEven) };
  const pixels = frames * near.height * near.width;
  if (pixels > maxPixels) {
    const shrink = Math.sqrt((frames * height * width) / maxPixels);
    const fit = (side: number): number => Math.max(factor, to(side / shrink, Math.floor));
    return { height: fit(height), width: fit(width) };
  }
  if (pixels >= minPixels) return near;
  const grow = Math.sqrt(minPixels / (frames * height * width));
  return { height: to(height * grow, Math.ceil), width: to(width * grow, Math.ceil) };
}

/** An image none of whose sides is below the factor, where the options ask for it. */
function grown({ height, width }: ImageSize, { factor, small }: SmartResize): ImageSize {
  if (small === "scaled" && Math.min(height, width) < factor) {
    const scale = Math.max(factor / height, factor / width);
    return { height: Math.trunc(height * scale), width: Math.trunc(width * scale) };
  }
  if (small !== "rounded") return { height, width };
  const wider = height < factor ? roundHalfEven((width * factor) / height) : width;
  const tall = Math.max(height, factor);
  return wider < factor
    ? { height: roundHalfEven((tall * factor) / wider), width: factor }
    : { height: tall, width: wider };
}
