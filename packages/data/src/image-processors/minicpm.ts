import { processorUnsupported } from "../errors/samples.js";
import { pilResize } from "../images/pil-resize.js";
import { imageProcessorClass, readPixelOptions, type PixelOptions } from "../images/pixel-values.js";
import type { ImageProcessor, ImageSize } from "../images/processor.js";
import { isCount } from "../images/size-options.js";
import { cutTiles, tilePatches } from "../images/tiles.js";
import type { MediaProcessorModule } from "../media/processor.js";
import { workerModuleUrl } from "../workers/worker-module.js";
import { roundHalfEven } from "./rounding.js";

/** What an image processor's config says, and how the tower cuts images: plain data for a worker. */
export interface MiniCpmImageOptions extends PixelOptions {
  /** Side of a patch in pixels. */
  readonly patchSize: number;
  /** Patches a side of what becomes one token: 2 or 4. */
  readonly perToken: number;
  /** Patches a side of the blocks in whose order they come. */
  readonly merge: number;
  /** Side of the square of about as many pixels as a slice has. */
  readonly resolution: number;
  /** Most slices of an image; 1 where it is never sliced. */
  readonly maxSlices: number;
}

/** Sizes in pixels of an image as a whole, and of its slices, row by row. */
export interface MiniCpmLayout {
  readonly whole: ImageSize;
  readonly slices?: { readonly rows: number; readonly columns: number; readonly size: ImageSize };
}

type Json = Readonly<Record<string, unknown>>;

/** Class defaults of transformers 5.24, `image_processing_pil_minicpmv4_6.py`. */
const DEFAULTS = {
  resample: 3,
  image_mean: 0.5,
  image_std: 0.5,
  max_slice_nums: 9,
  scale_resolution: 448,
  patch_size: 14,
  slice_mode: true,
  downsample_mode: "16x",
};

/**
 * Reads the config of a `MiniCPMV4_6ImageProcessor`; its patches and tokens are those of the model. @throws
 * THAW_DATA_PROCESSOR for a class or setting that is not reproduced
 */
export function parseMiniCpmImageConfig(
  file: Json,
  { patchSize, perToken, merge }: Pick<MiniCpmImageOptions, "patchSize" | "perToken" | "merge">,
  source: string,
): MiniCpmImageOptions {
  imageProcessorClass(file, ["MiniCPMV4_6ImageProcessor"], "MiniCPMV4_6ImageProcessor", source);
  const given = Object.fromEntries(Object.entries(file).filter(([, value]) => value !== null));
  const config: Json = { ...DEFAULTS, ...given };
  const refuse = (key: string, advice: string): never => {
    throw processorUnsupported(source, `The ${key} ${JSON.stringify(config[key])} is not supported.`, advice);
  };
  const count = (key: string): number => {
    const value = config[key];
    if (isCount(value)) return value;
    return refuse(key, "Give a positive integer.");
  };
  const mode = perToken === 2 ? "4x" : "16x";
  if (count("patch_size") !== patchSize) refuse("patch_size", `The tower's is ${patchSize}.`);
  if (config["downsample_mode"] !== mode) refuse("downsample_mode", `That of config.json is ${mode}.`);
  if (config["do_resize"] === false) refuse("do_resize", "Images must become whole tokens; set it to true.");
  return {
    ...readPixelOptions(config, source),
    patchSize,
    perToken,
    merge,
    resolution: count("scale_resolution"),
    maxSlices: config["slice_mode"] === false ? 1 : count("max_slice_nums"),
  };
}

/**
 * How an image is laid out: as a whole, and in slices if it has more pixels than one of them. Source: transformers
 * 5.24, `image_processing_pil_minicpmv4_6.py`.
 */
export function miniCpmLayout(size: ImageSize, options: Omit<MiniCpmImageOptions, keyof PixelOptions>): MiniCpmLayout {
  const grid = slicedGrid(size, options);
  const whole = fitted(size, grid === undefined, options);
  if (grid === undefined) return { whole };
  const { rows, columns } = grid;
  const even = { width: nearest(size.width, columns) / columns, height: nearest(size.height, rows) / rows };
  return { whole, slices: { rows, columns, size: fitted(even, true, options) } };
}

/** The multiple of `side` that is nearest, one at least. */
function nearest(length: number, side: number): number {
  return Math.max(roundHalfEven(length / side) * side, side);
}

/** About as many pixels as the resolution squared, in whole tokens. */
function fitted(
  { width, height }: ImageSize,
  grows: boolean,
  { resolution, patchSize, perToken }: Omit<MiniCpmImageOptions, keyof PixelOptions>,
): ImageSize {
  const side = patchSize * perToken;
  if (height * width <= resolution ** 2 && !grows)
    return { width: nearest(width, side), height: nearest(height, side) };
  const aspect = width / height;
  const tall = Math.trunc(resolution / Math.sqrt(aspect));
  return { width: nearest(Math.trunc(tall * aspect), side), height: nearest(tall, side) };
}

/** Rows and columns of slices, about as many as pixels ask for, whose aspect is nearest; undefined for one. */
function slicedGrid(
  { width, height }: ImageSize,
  { resolution, maxSlices }: Omit<MiniCpmImageOptions, keyof PixelOptions>,
): { readonly rows: number; readonly columns: number } | undefined {
  const aspect = Math.log(width / height);
  const wanted = Math.min(Math.ceil((width * height) / resolution ** 2), maxSlices);
  if (wanted <= 1) return undefined;
  let best = { rows: 1, columns: 1 };
  let least = Infinity;
  for (const count of [wanted - 1, wanted, wanted + 1]) {
    if (count === 1 || count > maxSlices) continue;
    for (let rows = 1; rows <= count; rows++) {
      if (count % rows !== 0) continue;
      const distance = Math.abs(aspect - Math.log(count / rows / rows));
      if (distance < least || (distance === least && rows > best.rows)) best = { rows, columns: count / rows };
      least = Math.min(least, distance);
    }
  }
  return best;
}

/**
 * `MiniCPMV4_6ImageProcessor` by Pillow, then cut into patches, block by block: the image as a whole, then its slices
 * row by row. `pixelValues`, `[patches, 3 * patch * patch]` float32.
 */
export function miniCpmImageProcessor(options: MiniCpmImageOptions): ImageProcessor {
  const { patchSize, merge, resample } = options;
  return {
    process(image) {
      const { whole, slices } = miniCpmLayout(image, options);
      const parts = [pilResize(image, whole, resample)];
      if (slices !== undefined) {
        const { rows, columns, size } = slices;
        const large = pilResize(image, { width: columns * size.width, height: rows * size.height }, resample);
        parts.push(...cutTiles(large, size));
      }
      return { pixelValues: tilePatches(parts, options, patchSize, merge) };
    },
  };
}

/** `miniCpmImageProcessor` for decode workers. */
export function miniCpmImageProcessorModule(options: MiniCpmImageOptions): MediaProcessorModule {
  return { module: workerModuleUrl(import.meta.url), exportName: "miniCpmImageProcessor", options };
}
