import { processorUnsupported } from "../errors/samples.js";
import { cropWindow } from "../images/crop.js";
import { pilResize } from "../images/pil-resize.js";
import { imageProcessorClass, readPixelOptions, type PixelOptions } from "../images/pixel-values.js";
import type { ImageProcessor, ImageSize } from "../images/processor.js";
import { isCount, readFixedSize } from "../images/size-options.js";
import { tilePatches } from "../images/tiles.js";
import type { MediaProcessorModule } from "../media/processor.js";
import { workerModuleUrl } from "../workers/worker-module.js";

/** When and how a long picture is also shown in parts. */
export interface PanAndScanOptions {
  /** Least pixels a side of a part. */
  readonly minCropSize: number;
  readonly maxCrops: number;
  /** Long side over short side from which there are parts. */
  readonly minRatio: number;
}

/** What an image processor's config says, and how the tower cuts pictures: plain data for a worker. */
export interface Gemma3ImageOptions extends PixelOptions {
  /** Of what the tower reads: the picture, then its parts. */
  readonly size: ImageSize;
  /** Absent: the whole picture alone. */
  readonly panAndScan?: PanAndScanOptions;
  /** Side of a patch in pixels. */
  readonly patchSize: number;
}

type Json = Readonly<Record<string, unknown>>;

/** Class defaults of transformers 5.24, `image_processing_pil_gemma3.py`. */
const DEFAULTS = {
  size: { height: 224, width: 224 },
  resample: 2,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
};

/** Reads the config of a `Gemma3ImageProcessor`. @throws THAW_DATA_PROCESSOR for a setting that is not reproduced */
export function parseGemma3ImageConfig(file: Json, patchSize: number, source: string): Gemma3ImageOptions {
  imageProcessorClass(file, ["Gemma3ImageProcessor"], "Gemma3ImageProcessor", source);
  const config: Json = { ...DEFAULTS, ...file };
  const size = readFixedSize(config, source);
  const options = { ...readPixelOptions(config, source), size, patchSize };
  if (config["do_pan_and_scan"] !== true) return options;
  const panAndScan = {
    minCropSize: config["pan_and_scan_min_crop_size"],
    maxCrops: config["pan_and_scan_max_num_crops"],
    minRatio: config["pan_and_scan_min_ratio_to_activate"],
  };
  const { minCropSize, maxCrops, minRatio } = panAndScan;
  if (!isCount(minCropSize) || !isCount(maxCrops) || typeof minRatio !== "number")
    throw processorUnsupported(
      source,
      "do_pan_and_scan is on, but not all of its settings are numbers.",
      "Give pan_and_scan_min_crop_size, pan_and_scan_max_num_crops and pan_and_scan_min_ratio_to_activate.",
    );
  return { ...options, panAndScan: { minCropSize, maxCrops, minRatio } };
}

/** A part of a picture, in pixels; it ends where the picture does. */
interface Part extends ImageSize {
  readonly left: number;
  readonly top: number;
}

/** The parts of a long picture, from its first to its last; none of one that is nearly square. */
export function panAndScanParts(image: ImageSize, options: Gemma3ImageOptions["panAndScan"]): readonly Part[] {
  if (options === undefined) return [];
  const { minCropSize, maxCrops, minRatio } = options;
  const isWide = image.width >= image.height;
  const [long, short] = isWide ? [image.width, image.height] : [image.height, image.width];
  if (long / short < minRatio) return [];
  const wanted = Math.min(Math.floor(long / minCropSize), Math.floor(long / short + 0.5));
  const count = Math.min(maxCrops, Math.max(2, wanted));
  const length = Math.ceil(long / count);
  if (Math.min(length, short) < minCropSize) return [];
  return Array.from({ length: count }, (_, index) => {
    const start = index * length;
    const own = Math.min(length, long - start);
    return isWide
      ? { left: start, top: 0, width: own, height: short }
      : { left: 0, top: start, width: short, height: own };
  });
}

/**
 * `Gemma3ImageProcessor` on Pillow images, then cut into patches: `pixelValues`, those of the picture and then of its
 * parts, `[tiles * patches, 3 * patch * patch]` float32. Source: transformers 5.24, `image_processing_pil_gemma3.py`.
 */
export function gemma3ImageProcessor(options: Gemma3ImageOptions): ImageProcessor {
  const { size, patchSize, resample } = options;
  return {
    process(image) {
      const parts = panAndScanParts(image, options.panAndScan).map((part) =>
        cropWindow(image, part.left, part.top, part),
      );
      const tiles = [image, ...parts].map((tile) => pilResize(tile, size, resample));
      return { pixelValues: tilePatches(tiles, options, patchSize) };
    },
  };
}

/** `gemma3ImageProcessor` for decode workers. */
export function gemma3ImageProcessorModule(options: Gemma3ImageOptions): MediaProcessorModule {
  return { module: workerModuleUrl(import.meta.url), exportName: "gemma3ImageProcessor", options };
}
