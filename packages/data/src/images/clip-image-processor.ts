import type { ClipImageOptions } from "./clip-image-config.js";
import { centerCrop, padToSquare } from "./crop.js";
import { cutPatches } from "./patches.js";
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

/** 256 values of one channel: float64 product to float32, then float32 minus and divided by, as numpy does it. */
function channelValues(options: ClipImageOptions, channel: 0 | 1 | 2): Float32Array {
  return Float32Array.from({ length: 256 }, (_, byte) => {
    const scaled = Math.fround(byte * options.rescaleFactor);
    if (options.normalize === null) return scaled;
    return Math.fround(
      Math.fround(scaled - Math.fround(options.normalize.mean[channel])) / Math.fround(options.normalize.std[channel]),
    );
  });
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
  const tables = [channelValues(options, 0), channelValues(options, 1), channelValues(options, 2)] as const;
  return {
    process(image) {
      const { data } = clipPixels(image, options);
      const plane = options.size.width * options.size.height;
      const values = new Float32Array(3 * plane);
      tables.forEach((table, channel) => {
        for (let pixel = 0; pixel < plane; pixel += 1)
          values[channel * plane + pixel] = table[data[pixel * 3 + channel] as number] as number;
      });
      return { pixelValues: cutPatches(values, { channels: 3, ...options.size }, options.patchSize) };
    },
  };
}

/** `clipImageProcessor` for decode workers: what a family's processor gives as `media.image.worker`. */
export function clipImageProcessorModule(options: ClipPatchOptions): MediaProcessorModule {
  return { module: workerModuleUrl(import.meta.url), exportName: "clipImageProcessor", options };
}
