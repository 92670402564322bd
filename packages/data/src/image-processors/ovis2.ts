import { processorUnsupported } from "../errors/samples.js";
import { pilResize } from "../images/pil-resize.js";
import { imageProcessorClass, readPixelOptions, type PixelOptions } from "../images/pixel-values.js";
import type { ImageProcessor, ImageSize } from "../images/processor.js";
import { isCount, readFixedSize } from "../images/size-options.js";
import { cutTiles, tilePatches } from "../images/tiles.js";
import type { MediaProcessorModule } from "../media/processor.js";
import { workerModuleUrl } from "../workers/worker-module.js";

/** Into how many tiles pictures are cut. */
export interface Ovis2TileOptions {
  readonly least: number;
  readonly most: number;
  /** Takes the grid that covers most of the picture (true), or that of the nearest shape. */
  readonly covers: boolean;
}

/** What an image processor's config says, and how the tower cuts pictures: plain data for a worker. */
export interface Ovis2ImageOptions extends PixelOptions {
  /** Of a tile. */
  readonly size: ImageSize;
  /** Absent: the whole picture alone. */
  readonly tiles?: Ovis2TileOptions;
  /** Side of a patch in pixels. */
  readonly patchSize: number;
}

type Json = Readonly<Record<string, unknown>>;
/** Tiles down and across. */
type Grid = readonly [rows: number, columns: number];

/** Class defaults of transformers 5.24, `image_processing_pil_ovis2.py`. */
const DEFAULTS = {
  size: { height: 384, width: 384 },
  resample: 3,
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
  min_patches: 1,
  max_patches: 12,
};

/** Share of a picture that tiles have to cover. */
const COVERED = 0.9;

/** Reads the config of an `Ovis2ImageProcessor`. @throws THAW_DATA_PROCESSOR for a setting that is not reproduced */
export function parseOvis2ImageConfig(file: Json, patchSize: number, source: string): Ovis2ImageOptions {
  imageProcessorClass(file, ["Ovis2ImageProcessor"], "Ovis2ImageProcessor", source);
  const config: Json = { ...DEFAULTS, ...file };
  const size = readFixedSize(config, source);
  const options = { ...readPixelOptions(config, source), size, patchSize };
  const { min_patches: least, max_patches: most } = config;
  if (config["crop_to_patches"] !== true || most === 1) return options;
  if (!isCount(least) || !isCount(most) || least > most)
    throw processorUnsupported(
      source,
      `There are no numbers of tiles from min_patches ${JSON.stringify(least)} to max_patches ${JSON.stringify(most)}.`,
      "Give whole numbers from 1 on, the lesser one as min_patches.",
    );
  return { ...options, tiles: { least, most, covers: config["use_covering_area_grid"] !== false } };
}

/** Pairs of counts whose product lies between the bounds, by product; of one product, those with the lesser first. */
function pairs(least: number, most: number): readonly Grid[] {
  const counts = Array.from({ length: most }, (_, index) => index + 1);
  return counts
    .flatMap((first) => counts.map((second): Grid => [first, second]))
    .filter(([first, second]) => first * second >= least && first * second <= most)
    .toSorted((left, right) => left[0] * left[1] - right[0] * right[1]);
}

/**
 * How much of a picture tiles show sharply, as a share, when it is cut into `rows` and `columns`. Source: transformers
 * 5.24, `image_processing_pil_ovis2.py`, `compute_patch_covering_area`.
 */
function coveredShare({ height, width }: ImageSize, [rows, columns]: Grid, side: number): number {
  const [tall, wide] = [Math.floor(height / rows), Math.floor(width / columns)];
  let area = 0;
  for (let row = 0; row < rows; row += 1)
    for (let column = 0; column < columns; column += 1) {
      const w = column === columns - 1 ? width - column * wide : wide;
      const h = row === rows - 1 ? height - row * tall : tall;
      const [long, short] = [Math.max(w, h), Math.min(w, h)];
      area += long > side ? side * ((short / long) * side) : long * short;
    }
  return area / (height * width);
}

/**
 * The fewest tiles that cover 90 % of a picture, or else those that cover most. Source: as above,
 * `get_min_tile_covering_grid`; it measures with rows first, and its caller takes the first number for columns.
 */
function coveringGrid(image: ImageSize, side: number, most: number): Grid {
  const judged = pairs(1, most).map((pair) => ({ pair, share: coveredShare(image, pair, side) }));
  const enough = judged.filter(({ share }) => share > COVERED);
  const fewest = Math.min(...enough.map(({ pair }) => pair[0] * pair[1]));
  const candidates = enough.length === 0 ? judged : enough.filter(({ pair }) => pair[0] * pair[1] === fewest);
  const [columns, rows] = candidates.reduce((best, next) => (next.share > best.share ? next : best)).pair;
  return [rows, columns];
}

/** The tiles whose shape is nearest to a picture's. Source: as above, `get_optimal_tiled_canvas`. */
function nearestGrid({ height, width }: ImageSize, tile: ImageSize, { least, most }: Ovis2TileOptions): Grid {
  let best: { readonly grid: Grid; readonly away: number } = { grid: [1, 1], away: Infinity };
  for (const [columns, rows] of pairs(least, most)) {
    const away = Math.abs(width / height - columns / rows);
    const isLarge = width * height > 0.5 * tile.height * tile.width * columns * rows;
    if (away < best.away || (away === best.away && isLarge)) best = { grid: [rows, columns], away };
  }
  return best.grid;
}

/** Into how many tiles a picture is cut, down and across; one of each is the whole picture alone. */
export function ovis2TileGrid(image: ImageSize, { size, tiles }: Pick<Ovis2ImageOptions, "size" | "tiles">): Grid {
  if (tiles === undefined) return [1, 1];
  return tiles.covers ? coveringGrid(image, size.height, tiles.most) : nearestGrid(image, size, tiles);
}

/**
 * `Ovis2ImageProcessor` on Pillow images, then cut into patches: `pixelValues`, those of the whole picture and then of
 * its tiles, `[tiles * patches, 3 * patch * patch]` float32. Source: transformers 5.24,
 * `image_processing_pil_ovis2.py`.
 */
export function ovis2ImageProcessor(options: Ovis2ImageOptions): ImageProcessor {
  const { size, patchSize, resample } = options;
  return {
    process(image) {
      const [rows, columns] = ovis2TileGrid(image, options);
      const canvas = { height: size.height * rows, width: size.width * columns };
      const cut = rows * columns === 1 ? [] : cutTiles(pilResize(image, canvas, resample), size);
      return { pixelValues: tilePatches([pilResize(image, size, resample), ...cut], options, patchSize) };
    },
  };
}

/** `ovis2ImageProcessor` for decode workers. */
export function ovis2ImageProcessorModule(options: Ovis2ImageOptions): MediaProcessorModule {
  return { module: workerModuleUrl(import.meta.url), exportName: "ovis2ImageProcessor", options };
}
