import { shown } from "@thaw/contracts";
import { processorUnsupported } from "../errors/samples.js";
import { cutPatches } from "../images/patches.js";
import { pilResize } from "../images/pil-resize.js";
import { imageProcessorClass, pixelPlanes, readPixelOptions, type PixelOptions } from "../images/pixel-values.js";
import type { ImageProcessor, ImageSize } from "../images/processor.js";
import type { MediaProcessorModule } from "../media/processor.js";
import { workerModuleUrl } from "../workers/worker-module.js";
import { smartResize, type SmartResize } from "./smart-resize.js";

/** How a tower cuts images. */
export interface PackedPatches {
  /** Side of a patch in pixels. */
  readonly patchSize: number;
  /** Patches a side of the blocks that become one token. */
  readonly merge: number;
  /** Times that a patch holds each of its pixels: frames of a still image. */
  readonly frames: number;
}

/** What an image processor's config says, and how the tower cuts images: plain data for a worker. */
export interface PackedImageOptions extends PixelOptions, PackedPatches {
  readonly resize: SmartResize;
}

/** What a class of image processors does where its config is silent, and how it resizes. */
interface PackedClass {
  readonly minPixels: number;
  readonly maxPixels: number;
  readonly frames: number;
  readonly small?: SmartResize["small"];
  /** True if the bounds count all frames of a still image. */
  readonly countsFrames?: boolean;
  /** True if `min_pixels` and `max_pixels` stand for the size. */
  readonly readsPixels?: boolean;
}

type Json = Readonly<Record<string, unknown>>;

const GLM: PackedClass = {
  minPixels: 112 ** 2,
  maxPixels: 28 ** 2 * 15000,
  frames: 2,
  small: "scaled",
  countsFrames: true,
};

/** Source: transformers 5.24, `image_processing_pil_<type>.py`. */
const CLASSES = {
  Glm4vImageProcessor: GLM,
  Glm46VImageProcessor: GLM,
  Qwen2VLImageProcessor: { minPixels: 56 ** 2, maxPixels: 28 ** 2 * 1280, frames: 2, readsPixels: true },
  PaddleOCRVLImageProcessor: {
    minPixels: 384 ** 2,
    maxPixels: 1536 ** 2,
    frames: 1,
    small: "rounded",
    readsPixels: true,
  },
} satisfies Readonly<Record<string, PackedClass>>;

/** Classes of image processors that {@link parsePackedImageConfig} reads. */
export type PackedClassName = keyof typeof CLASSES;

/** What all of them have where a config is silent. */
const DEFAULTS = {
  resample: 3,
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
  patch_size: 14,
  merge_size: 2,
};

/**
 * Reads the config of an image processor, one of `known`, the first where it has no class. `patches`: those of the
 * tower, which must be the same. @throws THAW_DATA_PROCESSOR for a class or setting that is not reproduced
 */
export function parsePackedImageConfig(
  file: Json,
  known: readonly [PackedClassName, ...PackedClassName[]],
  patches: PackedPatches,
  source: string,
): PackedImageOptions {
  const type: PackedClass = CLASSES[imageProcessorClass(file, known, known[0], source) as PackedClassName];
  const config: Json = { ...DEFAULTS, temporal_patch_size: type.frames, ...file };
  if (config["do_resize"] === false)
    throw processorUnsupported(
      source,
      "Images that are not resized would not be whole patches.",
      "Set do_resize to true.",
    );
  const { patchSize, merge, frames } = patches;
  for (const [key, wanted] of [
    ["patch_size", patchSize],
    ["merge_size", merge],
    ["temporal_patch_size", frames],
  ] as const)
    if (config[key] !== wanted)
      throw processorUnsupported(
        source,
        `The ${key} of the image processor is ${shown(config[key])}, but that of the vision tower ${wanted}.`,
        "Use the preprocessor_config.json that belongs to this model.",
      );
  return {
    ...readPixelOptions(config, source),
    ...patches,
    resize: {
      ...readBounds(config, type, source),
      factor: patchSize * merge,
      ...(type.small && { small: type.small }),
      ...(type.countsFrames === true && { frames }),
    },
  };
}

function readBounds(config: Json, type: PackedClass, source: string): Pick<SmartResize, "minPixels" | "maxPixels"> {
  const size = (config["size"] ?? {}) as Json;
  const bound = (old: string, key: string, fallback: number): number => {
    const own = type.readsPixels === true ? (config[old] ?? size[old]) : undefined;
    const value = own ?? size[key] ?? (config["size"] === undefined ? fallback : undefined);
    if (typeof value === "number" && value > 0) return value;
    throw processorUnsupported(
      source,
      `The size ${shown(config["size"])} has no ${key}.`,
      'Write { "shortest_edge", "longest_edge" }, the least and the most pixels of an image.',
    );
  };
  return {
    minPixels: bound("min_pixels", "shortest_edge", type.minPixels),
    maxPixels: bound("max_pixels", "longest_edge", type.maxPixels),
  };
}

/** Patch rows and columns of an image. @throws Error for an image that is too narrow */
export function packedGrid(image: ImageSize, { resize, patchSize }: PackedImageOptions): readonly [number, number] {
  const { height, width } = smartResize(image, resize);
  return [height / patchSize, width / patchSize];
}

/**
 * Image processors of models that read images of any size as patches, those of a token one after the other:
 * `pixelValues`, `[patches, 3 * frames * patch * patch]` float32, each as channels, frames, rows, columns. Source:
 * transformers 5.24, `image_processing_pil_glm4v.py`, `patchify`.
 */
export function packedImageProcessor(options: PackedImageOptions): ImageProcessor {
  const { patchSize, merge, frames, resample, resize } = options;
  return {
    process(image) {
      const { width, height } = smartResize(image, resize);
      const planes = pixelPlanes(pilResize(image, { width, height }, resample), options);
      const size = { channels: 3 * frames, width, height };
      return { pixelValues: cutPatches(repeated(planes, frames), size, patchSize, merge) };
    },
  };
}

/** Each of three planes `times` times. */
function repeated(planes: Float32Array, times: number): Float32Array {
  if (times === 1) return planes;
  const plane = planes.length / 3;
  const result = new Float32Array(planes.length * times);
  for (let copy = 0; copy < 3 * times; copy += 1) {
    const from = Math.floor(copy / times) * plane;
    result.set(planes.subarray(from, from + plane), copy * plane);
  }
  return result;
}

/** `packedImageProcessor` for decode workers. */
export function packedImageProcessorModule(options: PackedImageOptions): MediaProcessorModule {
  return { module: workerModuleUrl(import.meta.url), exportName: "packedImageProcessor", options };
}
