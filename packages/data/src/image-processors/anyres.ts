import { shown } from "@thaw/contracts";
import { processorUnsupported } from "../errors/samples.js";
import type { ClipImageOptions } from "../images/clip-image-config.js";
import { clipPixels } from "../images/clip-image-processor.js";
import { padTo } from "../images/crop.js";
import { pilResize } from "../images/pil-resize.js";
import { imageProcessorClass, readPixelOptions } from "../images/pixel-values.js";
import type { ImageProcessor, ImageSize, RgbImage } from "../images/processor.js";
import { isCount } from "../images/size-options.js";
import { cutTiles, tilePatches } from "../images/tiles.js";
import type { MediaProcessorModule } from "../media/processor.js";
import { workerModuleUrl } from "../workers/worker-module.js";

/** What an image processor of LLaVA-NeXT or LLaVA-OneVision says: plain data for a worker. */
export interface AnyresImageOptions extends ClipImageOptions {
  /** Sizes of which the one that fits an image best is cut into tiles. */
  readonly pinpoints: readonly ImageSize[];
  /** Pixels a side of the tiles that are cut. */
  readonly tile: number;
  /** Size of the whole image that comes before its tiles. */
  readonly overview: ImageSize;
}

/** Image settings, and the side of the patches that the tower reads, in pixels. */
export interface AnyresPatchOptions extends AnyresImageOptions {
  readonly patchSize: number;
}

type Json = Readonly<Record<string, unknown>>;

const CLIP_PIXELS = {
  resample: 3,
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
};
const ONEVISION_SIDES = [384, 768, 1152, 1536, 1920, 2304];

/** Pinpoints of LLaVA-NeXT, in its image processor and its model, where a file has none: height, width. */
export const LLAVA_NEXT_PINPOINTS: readonly (readonly [number, number])[] = [
  [336, 672],
  [672, 336],
  [672, 672],
  [1008, 336],
  [336, 1008],
];

/** Pinpoints of LLaVA-OneVision, in its image processor and its model, where a file has none: height, width. */
export const LLAVA_ONEVISION_PINPOINTS: readonly (readonly [number, number])[] = ONEVISION_SIDES.flatMap((height) =>
  ONEVISION_SIDES.map((width) => [height, width] as const),
);

/** Class defaults of transformers 5.24, `image_processing_pil_llava_next.py` and `..._llava_onevision.py`. */
const CLASS_DEFAULTS: Readonly<Record<string, Json>> = {
  LlavaNextImageProcessor: {
    ...CLIP_PIXELS,
    size: { shortest_edge: 224 },
    crop_size: { height: 224, width: 224 },
    do_center_crop: true,
    image_grid_pinpoints: LLAVA_NEXT_PINPOINTS,
  },
  LlavaOnevisionImageProcessor: {
    ...CLIP_PIXELS,
    size: { height: 384, width: 384 },
    image_grid_pinpoints: LLAVA_ONEVISION_PINPOINTS,
  },
};

/** `{ height, width }` or a side of a square. */
function readSize(value: unknown): ImageSize | undefined {
  if (isCount(value)) return { width: value, height: value };
  const { height, width } = (value ?? {}) as Json;
  return isCount(height) && isCount(width) ? { width, height } : undefined;
}

/** `image_grid_pinpoints`: heights and widths. @throws THAW_DATA_PROCESSOR */
export function readPinpoints(value: unknown, source: string): readonly ImageSize[] {
  const isPair = (pair: unknown): pair is [number, number] =>
    Array.isArray(pair) && pair.length === 2 && pair.every(isCount);
  if (Array.isArray(value) && value.length > 0 && value.every(isPair))
    return (value as [number, number][]).map(([height, width]) => ({ height, width }));
  throw processorUnsupported(
    source,
    `The image_grid_pinpoints ${shown(value)} are not a list of heights and widths.`,
    "Write [[height, width], ...], in pixels.",
  );
}

/**
 * Reads the config of a `LlavaNextImageProcessor` or `LlavaOnevisionImageProcessor`; `fallback` is the class where the
 * file has none. `do_pad` fills batches up with empty tiles, which rows of items have no need of.
 * @throws THAW_DATA_PROCESSOR for a class or setting that is not reproduced
 */
export function parseAnyresImageConfig(file: Json, fallback: string, source: string): AnyresImageOptions {
  const type = imageProcessorClass(file, Object.keys(CLASS_DEFAULTS), fallback, source);
  const config: Json = { ...CLASS_DEFAULTS[type], ...file };
  const edge = (config["size"] as Json | undefined)?.["shortest_edge"];
  const fixed = readSize(config["size"]);
  const overview = fixed ?? (isCount(edge) ? { width: edge, height: edge } : undefined);
  if (overview === undefined)
    throw processorUnsupported(
      source,
      `The size ${shown(config["size"])} is not one of this image processor.`,
      'Write { "height", "width" } or { "shortest_edge" }, in pixels.',
    );
  const cropSize = readSize(config["crop_size"]);
  const crop = config["do_center_crop"] === true ? (cropSize ?? null) : null;
  const resize = config["do_resize"] === false ? null : (fixed ?? { shortestEdge: overview.width });
  const tile = cropSize?.height ?? overview.height;
  const size = crop ?? (resize === null ? { width: tile, height: tile } : overview);
  if (resize === null && crop === null && (overview.width !== tile || overview.height !== tile))
    throw processorUnsupported(
      source,
      `The overview of ${overview.width}x${overview.height} pixels and tiles of ${tile}x${tile} are neither resized ` +
        "nor cropped to one size.",
      "Set do_resize to true, or crop_size and size to the same.",
    );
  const pinpoints = readPinpoints(config["image_grid_pinpoints"], source);
  const broken = pinpoints.find(({ width, height }) => width % tile !== 0 || height % tile !== 0);
  if (broken !== undefined)
    throw processorUnsupported(
      source,
      `The pinpoint [${broken.height}, ${broken.width}] is not whole tiles of ${tile} pixels.`,
      "Give multiples of the tiles' side in image_grid_pinpoints.",
    );
  return { ...readPixelOptions(config, source), padToSquare: false, resize, crop, pinpoints, tile, overview, size };
}

/**
 * The pinpoint that keeps most pixels of an image, and of those the smallest. Source: transformers 5.24,
 * `image_processing_utils.py`, `select_best_resolution`. @throws Error for an image so narrow that none keeps a pixel
 */
export function bestPinpoint({ width, height }: ImageSize, pinpoints: readonly ImageSize[]): ImageSize {
  let best: { readonly size: ImageSize; readonly kept: number; readonly wasted: number } | undefined;
  for (const size of pinpoints) {
    const scale = Math.min(size.width / width, size.height / height);
    const kept = Math.min(Math.trunc(width * scale) * Math.trunc(height * scale), width * height);
    const wasted = size.width * size.height - kept;
    if (kept > (best?.kept ?? 0) || (kept === best?.kept && wasted < best.wasted)) best = { size, kept, wasted };
  }
  if (best === undefined)
    throw new Error(`its ${width} x ${height} pixels are too narrow for all image_grid_pinpoints`);
  return best.size;
}

/** The largest size of an image's shape inside `box`. Source: as above, `get_patch_output_size`. */
function fitInto({ width, height }: ImageSize, box: ImageSize): ImageSize {
  const [byWidth, byHeight] = [box.width / width, box.height / height];
  return byWidth < byHeight
    ? { width: box.width, height: Math.min(Math.ceil(height * byWidth), box.height) }
    : { width: Math.min(Math.ceil(width * byHeight), box.width), height: box.height };
}

/** The whole image, then the tiles of what it becomes at its best pinpoint, row by row, padded with black. */
function anyresTiles(image: RgbImage, options: AnyresImageOptions): readonly RgbImage[] {
  const { pinpoints, tile, overview, resample } = options;
  const best = bestPinpoint(image, pinpoints);
  const fitted = pilResize(image, fitInto(image, best), resample);
  const cut = cutTiles(padTo(fitted, best, [0, 0, 0]), { width: tile, height: tile });
  return [pilResize(image, overview, resample), ...cut].map((each) => clipPixels(each, options));
}

/**
 * `LlavaNextImageProcessor` and `LlavaOnevisionImageProcessor` on Pillow images, then cut into patches, overview first:
 * `pixelValues`, `[tiles * patches, 3 * patch * patch]` float32. Source: transformers 5.24,
 * `image_processing_pil_llava_next.py`.
 */
export function anyresImageProcessor(options: AnyresPatchOptions): ImageProcessor {
  return {
    process: (image) => ({ pixelValues: tilePatches(anyresTiles(image, options), options, options.patchSize) }),
  };
}

/** `anyresImageProcessor` for decode workers. */
export function anyresImageProcessorModule(options: AnyresPatchOptions): MediaProcessorModule {
  return { module: workerModuleUrl(import.meta.url), exportName: "anyresImageProcessor", options };
}
