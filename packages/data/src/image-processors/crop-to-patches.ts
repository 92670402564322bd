import { processorUnsupported } from "../errors/samples.js";
import { pilResize } from "../images/pil-resize.js";
import { imageProcessorClass, readPixelOptions, type PixelOptions } from "../images/pixel-values.js";
import type { ImageProcessor, ImageSize, RgbImage } from "../images/processor.js";
import { isCount } from "../images/size-options.js";
import { cutTiles, tilePatches } from "../images/tiles.js";
import type { MediaProcessorModule } from "../media/processor.js";
import { workerModuleUrl } from "../workers/worker-module.js";
import type { TileGrid } from "./idefics3.js";

/** What the image processor of GOT-OCR 2 and InternVL says: plain data for a worker. */
export interface CropToPatchesOptions extends PixelOptions {
  /** Of each tile, and of the whole image. */
  readonly size: ImageSize;
  /** How many tiles an image may have. Absent: the whole image is all. */
  readonly tiles?: { readonly least: number; readonly most: number };
}

/** Image settings, and how the tower and the projector read patches. */
export interface CropToPatchesTowerOptions extends CropToPatchesOptions {
  /** Side of a patch in pixels. */
  readonly patchSize: number;
  /** Patches a side of the blocks that become one token. */
  readonly merge: number;
}

type Json = Readonly<Record<string, unknown>>;

/** Class defaults of transformers 5.24, `image_processing_pil_got_ocr2.py`. */
const DEFAULTS = {
  size: { height: 384, width: 384 },
  resample: 3,
  crop_to_patches: false,
  min_patches: 1,
  max_patches: 12,
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
};

/**
 * Reads the config of a `GotOcr2ImageProcessor`. @throws THAW_DATA_PROCESSOR for a class or setting that is not
 * reproduced
 */
export function parseCropToPatchesConfig(file: Json, source: string): CropToPatchesOptions {
  imageProcessorClass(file, ["GotOcr2ImageProcessor"], "GotOcr2ImageProcessor", source);
  const config: Json = { ...DEFAULTS, ...file };
  const { height, width } = (config["size"] ?? {}) as Json;
  if (!isCount(height) || !isCount(width))
    throw processorUnsupported(
      source,
      `The size ${JSON.stringify(config["size"])} is not one of this image processor.`,
      'Write { "height", "width" }, in pixels.',
    );
  const [least, most] = [config["min_patches"], config["max_patches"]];
  if (!isCount(least) || !isCount(most) || least > most)
    throw processorUnsupported(
      source,
      `Images cannot have ${JSON.stringify(least)} to ${JSON.stringify(most)} tiles.`,
      "Set min_patches and max_patches to numbers from 1, the first not above the second.",
    );
  const isCropped = config["crop_to_patches"] === true && most > 1;
  if (!isCropped && config["do_resize"] === false)
    throw processorUnsupported(
      source,
      "Images that are not resized would not be what the tower reads.",
      "Set do_resize to true.",
    );
  return {
    ...readPixelOptions(config, source),
    size: { height, width },
    ...(isCropped && { tiles: { least, most } }),
  };
}

/** Grids of so many tiles, those of few first, then by columns. */
function gridsOf(least: number, most: number): readonly TileGrid[] {
  const sides = Array.from({ length: most }, (_, side) => side + 1);
  return sides
    .flatMap((columns) => sides.map((rows) => ({ rows, columns })))
    .filter(({ rows, columns }) => rows * columns >= least && rows * columns <= most)
    .toSorted((left, right) => left.rows * left.columns - right.rows * right.columns);
}

/**
 * Into how many tiles an image is cut: the grid whose shape is nearest to its own, of equally near ones the largest
 * that has less than twice its pixels. One is the whole image. Source: transformers 5.24,
 * `image_processing_pil_got_ocr2.py`, `get_optimal_tiled_canvas`.
 */
export function cropGrid({ width, height }: ImageSize, { size, tiles }: CropToPatchesOptions): TileGrid {
  let best: TileGrid = { rows: 1, columns: 1 };
  if (tiles === undefined) return best;
  let nearest = Infinity;
  for (const grid of gridsOf(tiles.least, tiles.most)) {
    const distance = Math.abs(width / height - grid.columns / grid.rows);
    const isRoomy = width * height > 0.5 * size.height * size.width * grid.columns * grid.rows;
    if (distance < nearest || (distance === nearest && isRoomy)) best = grid;
    nearest = Math.min(nearest, distance);
  }
  return best;
}

/** Tiles row by row, then the whole image; the whole image alone where that is the one tile. */
function croppedTiles(image: RgbImage, options: CropToPatchesOptions): readonly RgbImage[] {
  const { size, resample } = options;
  const { rows, columns } = cropGrid(image, options);
  const whole = pilResize(image, size, resample);
  if (rows * columns === 1) return [whole];
  const canvas = { width: size.width * columns, height: size.height * rows };
  return [...cutTiles(pilResize(image, canvas, resample), size), whole];
}

/**
 * `GotOcr2ImageProcessor` on Pillow images, then cut into patches, those of a token one after the other: `pixelValues`,
 * `[tiles * patches, 3 * patch * patch]` float32. Source: transformers 5.24, `image_processing_pil_got_ocr2.py`.
 */
export function cropToPatches(options: CropToPatchesTowerOptions): ImageProcessor {
  const { patchSize, merge } = options;
  return {
    process: (image) => ({ pixelValues: tilePatches(croppedTiles(image, options), options, patchSize, merge) }),
  };
}

/** `cropToPatches` for decode workers. */
export function cropToPatchesModule(options: CropToPatchesTowerOptions): MediaProcessorModule {
  return { module: workerModuleUrl(import.meta.url), exportName: "cropToPatches", options };
}
