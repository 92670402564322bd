import type { ClipImageOptions } from "./clip-image-config.js";
import { centerCrop, padToSquare } from "./crop.js";
import { cutPatches } from "./patches.js";
import { pixelPlanes } from "./pixel-values.js";
import { pilResize } from "./pil-resize.js";
import type { ImageProcessor, ImageSize, RgbImage } from "./processor.js";
import type { MediaProcessorModule } from "../media/processor.js";
import { workerModuleUrl } from "../workers/worker-module.js";

/** Image settings, and the side of the patches that the tower reads, in pixels. */
export interface ClipPatchOptions extends ClipImageOptions {
  readonly patchSize: number;
}

/** `get_resize_output_image_size` with `default_to_square=False`: the long side is truncated, not rounded. */
export function shortestEdgeSize(image: ImageSize, edge: number): ImageSize {
  return image.width <= image.height
    ? { width: edge, height: Math.trunc((edge * image.height) / image.width) }
    : { width: Math.trunc((edge * image.width) / image.height), height: edge };
}

/** Resized, cropped pixels before they become numbers: `[height, width, 3]` bytes of `options.size`. */
export function clipPixels(image: RgbImage, options: ClipImageOptions): RgbImage {
  const fill = (options.normalize?.mean ?? [0, 0, 0]).map((value) => Math.trunc(value * 255)) as [
    number,
    number,
    number,
  ];
  let pixels = options.padToSquare ? padToSquare(image, fill) : image;
  if (options.resize !== null) {
    pixels = pilResize(
      pixels,
      "shortestEdge" in options.resize ? shortestEdgeSize(pixels, options.resize.shortestEdge) : options.resize,
      options.resample,
    );
  }
  return options.crop === null ? pixels : centerCrop(pixels, options.crop);
}

/**
 * `CLIPImageProcessor` on Pillow images (huggingface/transformers 5.23, `models/clip/image_processing_clip.py`): pad,
 * resize, centre crop, rescale, normalise; then cut into patches: `pixelValues`, `[patches, 3 * patch * patch]`
 * float32.
 */
export function clipImageProcessor(options: ClipPatchOptions): ImageProcessor {
  return {
    process(image) {
      const planes = pixelPlanes(clipPixels(image, options), options);
      return { pixelValues: cutPatches(planes, { channels: 3, ...options.size }, options.patchSize) };
    },
  };
}

/** `clipImageProcessor` for decode workers: what a family's processor gives as `media.image.worker`. */
export function clipImageProcessorModule(options: ClipPatchOptions): MediaProcessorModule {
  return { module: workerModuleUrl(import.meta.url), exportName: "clipImageProcessor", options };
}
