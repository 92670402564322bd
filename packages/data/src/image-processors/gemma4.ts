import { processorUnsupported } from "../errors/samples.js";
import { channelsLast, cutPatches } from "../images/patches.js";
import { pilResize } from "../images/pil-resize.js";
import { imageProcessorClass, pixelPlanes, readPixelOptions, type PixelOptions } from "../images/pixel-values.js";
import type { ImageProcessor, ImageSize } from "../images/processor.js";
import { isCount } from "../images/size-options.js";
import type { MediaProcessorModule } from "../media/processor.js";
import { workerModuleUrl } from "../workers/worker-module.js";

/** What an image processor's config says, and how the model cuts images: plain data for a worker. */
export interface Gemma4ImageOptions extends PixelOptions {
  /** Side of a patch in pixels. */
  readonly patchSize: number;
  /** Patches a side of the blocks that become one token. */
  readonly merge: number;
  /** Most tokens of an image. */
  readonly maxTokens: number;
}

type Json = Readonly<Record<string, unknown>>;

/** Class defaults of transformers 5.24, `image_processing_pil_gemma4.py`. */
const DEFAULTS = {
  resample: 3,
  do_normalize: false,
  image_mean: [0, 0, 0],
  image_std: [1, 1, 1],
  patch_size: 16,
  max_soft_tokens: 280,
  pooling_kernel_size: 3,
};

/**
 * Reads the config of a `Gemma4ImageProcessor` or a `Gemma4UnifiedImageProcessor`; its patches and blocks are those of
 * the model. @throws THAW_DATA_PROCESSOR for a class or setting that is not reproduced
 */
export function parseGemma4ImageConfig(
  file: Json,
  { patchSize, merge }: Pick<Gemma4ImageOptions, "patchSize" | "merge">,
  source: string,
): Gemma4ImageOptions {
  imageProcessorClass(file, ["Gemma4ImageProcessor", "Gemma4UnifiedImageProcessor"], "Gemma4ImageProcessor", source);
  const given = Object.fromEntries(Object.entries(file).filter(([, value]) => value !== null));
  const config: Json = { ...DEFAULTS, ...given };
  const refuse = (key: string, advice: string): never => {
    throw processorUnsupported(source, `The ${key} ${JSON.stringify(config[key])} is not supported.`, advice);
  };
  if (config["do_resize"] === false) refuse("do_resize", "Images must become whole blocks of patches; set it to true.");
  if (config["patch_size"] !== patchSize) refuse("patch_size", `That of config.json is ${patchSize}.`);
  if (config["pooling_kernel_size"] !== merge) refuse("pooling_kernel_size", `That of config.json is ${merge}.`);
  const maxTokens = config["max_soft_tokens"];
  if (!isCount(maxTokens)) return refuse("max_soft_tokens", "Give a positive integer.");
  return { ...readPixelOptions(config, source), patchSize, merge, maxTokens };
}

/**
 * Patch rows and columns of an image: as large as its tokens allow, whole blocks a side, its aspect about kept. Source:
 * transformers 5.24, `image_processing_pil_gemma4.py`, `get_aspect_ratio_preserving_size`. @throws Error for an image
 * that has no block of patches whatever is done
 */
export function gemma4Grid(
  { width, height }: ImageSize,
  { patchSize, merge, maxTokens }: Omit<Gemma4ImageOptions, keyof PixelOptions>,
): readonly [rows: number, columns: number] {
  const side = patchSize * merge;
  const factor = Math.sqrt((maxTokens * side ** 2) / (height * width));
  const [rows, columns] = [height, width].map((pixels) => Math.floor((factor * pixels) / side)) as [number, number];
  if (rows === 0 && columns === 0)
    throw new Error(`An image of ${width}x${height} pixels does not become a block of ${side} pixels a side.`);
  const blocks =
    rows === 0
      ? [1, Math.min(Math.floor(width / height), maxTokens)]
      : columns === 0
        ? [Math.min(Math.floor(height / width), maxTokens), 1]
        : [rows, columns];
  return [blocks[0]! * merge, blocks[1]! * merge];
}

/**
 * `Gemma4ImageProcessor` by Pillow, then cut into patches, those of a block one after the other, pixel by pixel:
 * `pixelValues`, `[patches, patch * patch * 3]` float32.
 */
export function gemma4ImageProcessor(options: Gemma4ImageOptions): ImageProcessor {
  return cutBy(options, options.patchSize, options.merge);
}

/** `Gemma4UnifiedImageProcessor` by Pillow: `pixelValues`, a block a row, `[blocks, (patch * merge) ** 2 * 3]`. */
export function gemma4BlockProcessor(options: Gemma4ImageOptions): ImageProcessor {
  return cutBy(options, options.patchSize * options.merge, 1);
}

function cutBy(options: Gemma4ImageOptions, side: number, merge: number): ImageProcessor {
  return {
    process(image) {
      const [rows, columns] = gemma4Grid(image, options);
      const size = { width: columns * options.patchSize, height: rows * options.patchSize };
      const resized = pilResize(image, size, options.resample);
      const planes = pixelPlanes(resized, options);
      return { pixelValues: channelsLast(cutPatches(planes, { channels: 3, ...size }, side, merge), 3, side ** 2) };
    },
  };
}

/** `gemma4ImageProcessor` for decode workers. */
export function gemma4ImageProcessorModule(options: Gemma4ImageOptions): MediaProcessorModule {
  return { module: workerModuleUrl(import.meta.url), exportName: "gemma4ImageProcessor", options };
}

/** `gemma4BlockProcessor` for decode workers. */
export function gemma4BlockProcessorModule(options: Gemma4ImageOptions): MediaProcessorModule {
  return { module: workerModuleUrl(import.meta.url), exportName: "gemma4BlockProcessor", options };
}
