import { shown } from "@thaw/contracts";
import { processorUnsupported } from "../errors/samples.js";
import { channelsLast } from "../images/patches.js";
import { pilResize } from "../images/pil-resize.js";
import { imageProcessorClass, readPixelOptions, type PixelOptions } from "../images/pixel-values.js";
import type { ImageProcessor, ImageSize, RgbImage } from "../images/processor.js";
import { isCount } from "../images/size-options.js";
import { cutTiles, tilePatches } from "../images/tiles.js";
import type { MediaProcessorModule } from "../media/processor.js";
import { workerModuleUrl } from "../workers/worker-module.js";
import { roundHalfEven } from "./rounding.js";

/** What an image processor's config says, and how the tower cuts images: plain data for a worker. */
export interface Lfm2ImageOptions extends PixelOptions {
  /** Side of a patch in pixels. */
  readonly patchSize: number;
  /** Patches a side of the blocks that become one token. */
  readonly merge: number;
  /** Fewest and most tokens of an image that is not split. */
  readonly tokens: { readonly least: number; readonly most: number };
  /** How many times as many pixels as `tokens.most` has an image may have before it is split. */
  readonly tolerance: number;
  /** How large images are split. Absent: they are not. */
  readonly tiles?: {
    readonly least: number;
    readonly most: number;
    readonly side: number;
    readonly hasThumbnail: boolean;
  };
}

/** What becomes of an image of some size. */
export interface Lfm2Layout {
  /** Size of the image as a whole, in pixels: alone, or as the thumbnail behind its tiles. */
  readonly whole: ImageSize;
  /** Rows and columns of tiles. Absent: the image is not split. */
  readonly tiles?: { readonly rows: number; readonly columns: number };
  readonly hasWhole: boolean;
}

type Json = Readonly<Record<string, unknown>>;

/** Class defaults of transformers 5.24, `image_processing_lfm2_vl.py`. */
const DEFAULTS = {
  downsample_factor: 2,
  do_image_splitting: true,
  min_tiles: 2,
  max_tiles: 10,
  use_thumbnail: true,
  min_image_tokens: 64,
  max_image_tokens: 256,
  encoder_patch_size: 16,
  tile_size: 512,
  max_pixels_tolerance: 2,
  resample: 2,
  image_mean: 0.5,
  image_std: 0.5,
};

/**
 * Reads the config of an `Lfm2VlImageProcessor`; its patches and blocks are those of the model. As in transformers,
 * `do_resize`, `size` and `do_pad` decide nothing. @throws THAW_DATA_PROCESSOR for a setting that is not reproduced
 */
export function parseLfm2ImageConfig(
  file: Json,
  { patchSize, merge }: Pick<Lfm2ImageOptions, "patchSize" | "merge">,
  source: string,
): Lfm2ImageOptions {
  imageProcessorClass(file, ["Lfm2VlImageProcessor"], "Lfm2VlImageProcessor", source);
  const given = Object.fromEntries(Object.entries(file).filter(([, value]) => value !== null));
  const config: Json = { ...DEFAULTS, ...given };
  const refuse = (key: string, advice: string): never => {
    throw processorUnsupported(source, `The ${key} ${shown(config[key])} is not supported.`, advice);
  };
  const count = (key: string): number => {
    const value = config[key];
    if (isCount(value)) return value;
    return refuse(key, "Give a positive integer.");
  };
  if (count("encoder_patch_size") !== patchSize)
    refuse("encoder_patch_size", `The tower's patch_size is ${patchSize}.`);
  if (count("downsample_factor") !== merge) refuse("downsample_factor", `That of config.json is ${merge}.`);
  const tolerance = config["max_pixels_tolerance"];
  if (typeof tolerance !== "number") return refuse("max_pixels_tolerance", "Give a number.");
  const [least, most, side] = [count("min_tiles"), count("max_tiles"), count("tile_size")];
  const isSplitting = config["do_image_splitting"] !== false && most > 1;
  if (isSplitting && least > most) refuse("min_tiles", "Give no more than max_tiles.");
  if (isSplitting && least === 1) refuse("min_tiles", "Give 2 or more: one tile alone has not the size of its tokens.");
  if (isSplitting && side % (patchSize * merge) !== 0)
    refuse("tile_size", `Give a multiple of ${patchSize * merge}, the pixels a side of a token.`);
  return {
    ...readPixelOptions(config, source),
    patchSize,
    merge,
    tokens: { least: count("min_image_tokens"), most: count("max_image_tokens") },
    tolerance,
    ...(isSplitting && { tiles: { least, most, side, hasThumbnail: config["use_thumbnail"] !== false } }),
  };
}

/**
 * How an image is laid out: whole if it is small, else in tiles of the nearest aspect, with a thumbnail. Source:
 * transformers 5.24, `image_processing_lfm2_vl.py`, `resize_and_split`.
 */
export function lfm2Layout(size: ImageSize, options: Omit<Lfm2ImageOptions, keyof PixelOptions>): Lfm2Layout {
  const { patchSize, merge, tokens, tolerance, tiles } = options;
  const side = patchSize * merge;
  const rounded = (pixels: number): number => roundHalfEven(pixels / side) * side;
  const pixels = Math.max(patchSize, rounded(size.height)) * Math.max(patchSize, rounded(size.width));
  const whole = wholeSize(size, side, tokens);
  if (tiles === undefined || pixels <= tokens.most * side ** 2 * tolerance) return { whole, hasWhole: true };
  return { whole, tiles: closestTiles(size, tiles), hasWhole: tiles.hasThumbnail };
}

/** Sides that are multiples of a token's, with no more and no fewer tokens than allowed, about as the image was. */
function wholeSize({ width, height }: ImageSize, side: number, { least, most }: Lfm2ImageOptions["tokens"]): ImageSize {
  const near = (pixels: number): number => Math.max(side, roundHalfEven(pixels / side) * side);
  const [area, smallest, largest] = [near(width) * near(height), least * side ** 2, most * side ** 2];
  if (area > largest) {
    const shrink = Math.sqrt((height * width) / largest);
    const below = (pixels: number): number => Math.max(side, Math.floor(pixels / shrink / side) * side);
    return { width: below(width), height: below(height) };
  }
  if (area < smallest) {
    const grow = Math.sqrt(smallest / (height * width));
    const above = (pixels: number): number => Math.ceil((pixels * grow) / side) * side;
    return { width: above(width), height: above(height) };
  }
  return { width: near(width), height: near(height) };
}

/** The tiles whose aspect is nearest; of two as near the larger, if the image has more than half its pixels. */
function closestTiles(
  { width, height }: ImageSize,
  { least, most, side }: NonNullable<Lfm2ImageOptions["tiles"]>,
): NonNullable<Lfm2Layout["tiles"]> {
  const all = Array.from({ length: most }, (_, column) =>
    Array.from({ length: Math.floor(most / (column + 1)) }, (__, row) => ({ rows: row + 1, columns: column + 1 })),
  )
    .flat()
    .filter(({ rows, columns }) => rows * columns >= least)
    .sort((one, other) => one.rows * one.columns - other.rows * other.columns || one.columns - other.columns);
  let nearest = Infinity;
  let best = { rows: 1, columns: 1 };
  for (const tiles of all) {
    const distance = Math.abs(width / height - tiles.columns / tiles.rows);
    const isBetter = distance < nearest;
    const isLarger = distance === nearest && width * height > 0.5 * side ** 2 * tiles.columns * tiles.rows;
    if (isBetter) nearest = distance;
    if (isBetter || isLarger) best = tiles;
  }
  return best;
}

/**
 * `Lfm2VlImageProcessor` by Pillow, then cut into patches, those of a token one after the other, pixel by pixel: the
 * tiles row by row, then the image as a whole. `pixelValues`, `[patches, patch * patch * 3]` float32.
 */
export function lfm2ImageProcessor(options: Lfm2ImageOptions): ImageProcessor {
  const { patchSize, merge, resample } = options;
  return {
    process(image) {
      const { whole, tiles, hasWhole } = lfm2Layout(image, options);
      const parts = tiles === undefined ? [] : resizedTiles(image, tiles, options.tiles!.side, resample);
      const last = hasWhole ? [pilResize(image, whole, resample)] : [];
      const patches = tilePatches([...parts, ...last], options, patchSize, merge);
      return { pixelValues: channelsLast(patches, 3, patchSize ** 2) };
    },
  };
}

function resizedTiles(
  image: RgbImage,
  { rows, columns }: NonNullable<Lfm2Layout["tiles"]>,
  side: number,
  resample: PixelOptions["resample"],
): readonly RgbImage[] {
  const large = pilResize(image, { width: columns * side, height: rows * side }, resample);
  return cutTiles(large, { width: side, height: side });
}

/** `lfm2ImageProcessor` for decode workers. */
export function lfm2ImageProcessorModule(options: Lfm2ImageOptions): MediaProcessorModule {
  return { module: workerModuleUrl(import.meta.url), exportName: "lfm2ImageProcessor", options };
}
