import type { ImageSize, RgbImage } from "./processor.js";
import { judgeResult } from "./size-limits.js";

/** Copies `image` into a canvas of `size` with its top left corner at (left, top), which may lie outside. */
function place(
  image: RgbImage,
  size: ImageSize,
  left: number,
  top: number,
  fill: readonly [number, number, number],
): RgbImage {
  const data = new Uint8Array(size.width * size.height * 3);
  if (fill.some((value) => value !== 0)) for (let at = 0; at < data.length; at += 3) data.set(fill, at);
  const firstColumn = Math.max(0, -left);
  const lastColumn = Math.min(image.width, size.width - left);
  for (let y = Math.max(0, -top); y < Math.min(image.height, size.height - top) && lastColumn > firstColumn; y += 1) {
    const from = (y * image.width + firstColumn) * 3;
    data.set(
      image.data.subarray(from, from + (lastColumn - firstColumn) * 3),
      ((y + top) * size.width + left + firstColumn) * 3,
    );
  }
  return { width: size.width, height: size.height, data };
}

/**
 * Centre crop, padded with black where the image is smaller; an odd pixel of padding comes before the image. Equals
 * `center_crop` in huggingface/transformers 5.23, `src/transformers/image_transforms.py`, which pads first and cuts
 * then.
 */
export function centerCrop(image: RgbImage, size: ImageSize): RgbImage {
  if (image.width === size.width && image.height === size.height) return image;
  return place(
    image,
    size,
    -Math.floor((image.width - size.width) / 2),
    -Math.floor((image.height - size.height) / 2),
    [0, 0, 0],
  );
}

/** Pads to a square, image in the middle. As `pad_to_square` of `LlavaImageProcessor` in transformers 5.23. */
export function padToSquare(image: RgbImage, fill: readonly [number, number, number]): RgbImage {
  if (image.width === image.height) return image;
  const side = Math.max(image.width, image.height);
  return padTo(image, { width: side, height: side }, fill);
}

/** Pads to a size that is not smaller, image in the middle; an odd pixel of padding comes behind the image. */
export function padTo(image: RgbImage, size: ImageSize, fill: readonly [number, number, number]): RgbImage {
  judgeResult(image, size);
  return place(
    image,
    size,
    Math.floor((size.width - image.width) / 2),
    Math.floor((size.height - image.height) / 2),
    fill,
  );
}

/** Cuts out a window that lies inside the image. */
export function cropWindow(image: RgbImage, left: number, top: number, size: ImageSize): RgbImage {
  return place(image, size, -left, -top, [0, 0, 0]);
}
