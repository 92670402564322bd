import { processorUnsupported } from "../errors/samples.js";
import { pilResize } from "../images/pil-resize.js";
import { imageProcessorClass, readPixelOptions, type PixelOptions } from "../images/pixel-values.js";
import type { ImageProcessor, ImageSize, RgbImage } from "../images/processor.js";
import { isCount } from "../images/size-options.js";
import { cutTiles, tilePatches } from "../images/tiles.js";
import type { MediaProcessorModule } from "../media/processor.js";
import { workerModuleUrl } from "../workers/worker-module.js";

/** What an image processor of Idefics3 or SmolVLM says: plain data for a worker. */
export interface Idefics3ImageOptions extends PixelOptions {
  /** What images become first: their longest edge, or all of them. Null: no resize. */
  readonly resize: { readonly longestEdge: number } | ImageSize | null;
  /** Pixels a side of tiles, and of the whole image. */
  readonly tile: number;
  /** Whether larger images are also shown in tiles. */
  readonly isSplit: boolean;
}

/** Image settings, and how the tower and the projector read patches. */
export interface Idefics3PatchOptions extends Idefics3ImageOptions {
  /** Side of a patch in pixels. */
  readonly patchSize: number;
  /** Patches a side of the blocks that become one token. */
  readonly merge: number;
}

/** Rows and columns of tiles; none where the whole image stands alone. */
export interface TileGrid {
  readonly rows: number;
  readonly columns: number;
}

type Json = Readonly<Record<string, unknown>>;

/** Class defaults of transformers 5.24, `image_processing_pil_idefics3.py` and `..._smolvlm.py`. */
const DEFAULTS = {
  size: { longest_edge: 4 * 364 },
  max_image_size: { longest_edge: 364 },
  do_image_splitting: true,
  resample: 1,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
};

/** No image becomes larger than this by its longest edge. */
const LARGEST_EDGE = 4096;

/**
 * Reads the config of an `Idefics3ImageProcessor` or `SmolVLMImageProcessor`. `do_pad` fills batches up with empty
 * tiles, which rows of items have no need of.
 * @throws THAW_DATA_PROCESSOR for a class or setting that is not reproduced
 */
export function parseIdefics3ImageConfig(file: Json, source: string): Idefics3ImageOptions {
  const known = ["Idefics3ImageProcessor", "SmolVLMImageProcessor"];
  imageProcessorClass(file, known, "Idefics3ImageProcessor", source);
  const config: Json = { ...DEFAULTS, ...file };
  const tile = (config["max_image_size"] as Json | null)?.["longest_edge"];
  if (!isCount(tile))
    throw processorUnsupported(
      source,
      `The max_image_size ${JSON.stringify(config["max_image_size"])} has no longest_edge.`,
      'Write { "longest_edge" }, in pixels: the side of tiles.',
    );
  return {
    ...readPixelOptions(config, source),
    resize: config["do_resize"] === false ? null : readResize(config["size"], source),
    tile,
    isSplit: config["do_image_splitting"] === true,
  };
}

function readResize(size: unknown, source: string): Idefics3ImageOptions["resize"] {
  const { longest_edge: longestEdge, height, width } = (size ?? {}) as Json;
  if (isCount(longestEdge)) return { longestEdge };
  if (isCount(height) && isCount(width)) return { width, height };
  throw processorUnsupported(
    source,
    `The size ${JSON.stringify(size)} is not one of this image processor.`,
    'Write { "longest_edge" } or { "height", "width" }, in pixels.',
  );
}

/** `get_resize_output_image_size`: the longest edge becomes so long, a shorter one even, at most 4096. */
function byLongestEdge({ width, height }: ImageSize, longestEdge: number): ImageSize {
  const even = (side: number): number => Math.max(1, side + (side % 2));
  const ratio = width / height;
  const size =
    width >= height
      ? { width: longestEdge, height: even(Math.trunc(longestEdge / ratio)) }
      : { width: even(Math.trunc(longestEdge * ratio)), height: longestEdge };
  return Math.max(size.width, size.height) <= LARGEST_EDGE ? size : belowLargest(size);
}

function belowLargest({ width, height }: ImageSize): ImageSize {
  const ratio = width / height;
  return width >= height
    ? { width: LARGEST_EDGE, height: Math.max(1, Math.trunc(LARGEST_EDGE / ratio)) }
    : { width: Math.max(1, Math.trunc(LARGEST_EDGE * ratio)), height: LARGEST_EDGE };
}

/** `resize_for_vision_encoder`: whole tiles along both edges. */
function wholeTiles({ width, height }: ImageSize, tile: number): ImageSize {
  const ratio = width / height;
  const whole = (side: number): number => Math.ceil(side / tile) * tile;
  return width >= height
    ? { width: whole(width), height: whole(Math.trunc(whole(width) / ratio)) }
    : { width: whole(Math.trunc(whole(height) * ratio)), height: whole(height) };
}

/** The sizes that an image takes, one after the other, before it is cut. */
function sizesOf(image: ImageSize, { resize, tile, isSplit }: Idefics3ImageOptions): readonly ImageSize[] {
  const first = resize === null ? image : "longestEdge" in resize ? byLongestEdge(image, resize.longestEdge) : resize;
  return [first, isSplit ? wholeTiles(first, tile) : { width: tile, height: tile }];
}

/**
 * Into how many tiles an image is cut, beside itself. Source: transformers 5.24, `image_processing_pil_idefics3.py`,
 * `split_images`.
 */
export function idefics3Grid(image: ImageSize, options: Idefics3ImageOptions): TileGrid {
  const { width, height } = sizesOf(image, options).at(-1)!;
  const { tile } = options;
  return height > tile || width > tile ? { rows: height / tile, columns: width / tile } : { rows: 0, columns: 0 };
}

/** Tiles row by row, then the whole image; the whole image alone where it is one tile. */
function idefics3Tiles(image: RgbImage, options: Idefics3ImageOptions): readonly RgbImage[] {
  const { tile, resample } = options;
  const square = { width: tile, height: tile };
  const sized = sizesOf(image, options).reduce<RgbImage>((from, size) => pilResize(from, size, resample), image);
  const { rows } = idefics3Grid(image, options);
  return rows === 0 ? [sized] : [...cutTiles(sized, square), pilResize(sized, square, resample)];
}

/**
 * `Idefics3ImageProcessor` and `SmolVLMImageProcessor` on Pillow images, then cut into patches, those of a token one
 * after the other: `pixelValues`, `[tiles * patches, 3 * patch * patch]` float32. Source: transformers 5.24,
 * `image_processing_pil_idefics3.py`.
 */
export function idefics3ImageProcessor(options: Idefics3PatchOptions): ImageProcessor {
  const { patchSize, merge } = options;
  return {
    process: (image) => ({ pixelValues: tilePatches(idefics3Tiles(image, options), options, patchSize, merge) }),
  };
}

/** `idefics3ImageProcessor` for decode workers. */
export function idefics3ImageProcessorModule(options: Idefics3PatchOptions): MediaProcessorModule {
  return { module: workerModuleUrl(import.meta.url), exportName: "idefics3ImageProcessor", options };
}
