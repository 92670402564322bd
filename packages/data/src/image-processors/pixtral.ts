import { shown } from "@thaw/contracts";
import { processorUnsupported } from "../errors/samples.js";
import { cutPatches } from "../images/patches.js";
import { pilResize } from "../images/pil-resize.js";
import { imageProcessorClass, pixelPlanes, readPixelOptions, type PixelOptions } from "../images/pixel-values.js";
import type { ImageProcessor, ImageSize } from "../images/processor.js";
import { isCount } from "../images/size-options.js";
import type { MediaProcessorModule } from "../media/processor.js";
import { workerModuleUrl } from "../workers/worker-module.js";

/** What an image processor's config says, and how the tower cuts images: plain data for a worker. */
export interface PixtralImageOptions extends PixelOptions {
  /** The box into which larger images shrink. */
  readonly largest: ImageSize;
  /** Side of a patch in pixels. */
  readonly patchSize: number;
  /** Patches a side of the blocks that become one token. */
  readonly merge: number;
}

type Json = Readonly<Record<string, unknown>>;

/** Class defaults of transformers 5.24, `image_processing_pil_pixtral.py`. */
const DEFAULTS = {
  size: { longest_edge: 1024 },
  resample: 3,
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
};

/**
 * Reads the config of a `PixtralImageProcessor`. Its `patch_size` is what the processor and the tower say it is.
 * @throws THAW_DATA_PROCESSOR for a class or setting that is not reproduced
 */
export function parsePixtralImageConfig(
  file: Json,
  { patchSize, merge }: Pick<PixtralImageOptions, "patchSize" | "merge">,
  source: string,
): PixtralImageOptions {
  imageProcessorClass(file, ["PixtralImageProcessor"], "PixtralImageProcessor", source);
  const config: Json = { ...DEFAULTS, ...file };
  if (config["do_resize"] === false || config["do_center_crop"] === true)
    throw processorUnsupported(
      source,
      "Images that are cropped, or not resized, would not be whole patches.",
      "Set do_resize to true and do_center_crop to false.",
    );
  return { ...readPixelOptions(config, source), largest: readLargest(config["size"], source), patchSize, merge };
}

function readLargest(size: unknown, source: string): ImageSize {
  if (isCount(size)) return { width: size, height: size };
  const { longest_edge: edge, height, width } = (size ?? {}) as Json;
  if (isCount(edge)) return { width: edge, height: edge };
  if (isCount(height) && isCount(width)) return { width, height };
  throw processorUnsupported(
    source,
    `The size ${shown(size)} is not one of this image processor.`,
    'Write { "longest_edge" } or { "height", "width" }, in pixels.',
  );
}

/**
 * Patch rows and columns of an image: it shrinks into the box if it is larger, then each side becomes the next multiple
 * of the tokens' side. Source: transformers 5.24, `image_processing_pil_pixtral.py`, `get_resize_output_image_size`.
 */
export function pixtralGrid(
  { width, height }: ImageSize,
  { largest, patchSize, merge }: Pick<PixtralImageOptions, "largest" | "patchSize" | "merge">,
): readonly [rows: number, columns: number] {
  const ratio = Math.max(height / largest.height, width / largest.width);
  const cells = (side: number): number => {
    const shrunk = ratio > 1 ? Math.floor(side / ratio) : side;
    return (Math.floor((shrunk - 1) / (patchSize * merge)) + 1) * merge;
  };
  return [cells(height), cells(width)];
}

/**
 * `PixtralImageProcessor` on Pillow images, then cut into patches, those of a token one after the other: `pixelValues`,
 * `[patches, 3 * patch * patch]` float32. Source: transformers 5.24, `image_processing_pil_pixtral.py`.
 */
export function pixtralImageProcessor(options: PixtralImageOptions): ImageProcessor {
  const { patchSize, merge, resample } = options;
  return {
    process(image) {
      const [rows, columns] = pixtralGrid(image, options);
      const resized = pilResize(image, { width: columns * patchSize, height: rows * patchSize }, resample);
      const plane = { channels: 3, width: resized.width, height: resized.height };
      return { pixelValues: cutPatches(pixelPlanes(resized, options), plane, patchSize, merge) };
    },
  };
}

/** `pixtralImageProcessor` for decode workers. */
export function pixtralImageProcessorModule(options: PixtralImageOptions): MediaProcessorModule {
  return { module: workerModuleUrl(import.meta.url), exportName: "pixtralImageProcessor", options };
}
