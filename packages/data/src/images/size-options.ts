import { processorUnsupported } from "../errors/samples.js";
import type { ImageSize } from "./processor.js";

/** True of a whole number from 1 on. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

/**
 * The size to which an image processor's config resizes every picture, whatever its shape. @throws THAW_DATA_PROCESSOR
 * for a config that crops, or does not resize so
 */
export function readFixedSize(config: Readonly<Record<string, unknown>>, source: string): ImageSize {
  const { height, width } = (config["size"] ?? {}) as Readonly<Record<string, unknown>>;
  if (config["do_resize"] === false || config["do_center_crop"] === true || !isCount(height) || !isCount(width))
    throw processorUnsupported(
      source,
      "Pictures that are cropped, or not resized to a fixed size, would not be what the tower reads.",
      'Set do_resize to true, do_center_crop to false, and a size of { "height", "width" }.',
    );
  return { height, width };
}
