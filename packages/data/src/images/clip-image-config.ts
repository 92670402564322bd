import { shown } from "@thaw/contracts";
import { processorUnsupported } from "../errors/samples.js";
import type { ImageSize } from "./processor.js";
import { imageProcessorClass, readPixelOptions, type PixelOptions } from "./pixel-values.js";

/** What `preprocessor_config.json` says, as plain data for a worker. */
export interface ClipImageOptions extends PixelOptions {
  readonly padToSquare: boolean;
  /** Null: no resize. */
  readonly resize: { readonly shortestEdge: number } | ImageSize | null;
  /** Null: no crop. */
  readonly crop: ImageSize | null;
  /** Of the result. */
  readonly size: ImageSize;
}

type Json = Readonly<Record<string, unknown>>;

const CLIP = {
  size: { shortest_edge: 224 },
  crop_size: { height: 224, width: 224 },
  do_center_crop: true,
  resample: 3,
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
};
const HALF = {
  size: { height: 224, width: 224 },
  do_center_crop: false,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
};

/** Class defaults of transformers 5.23, `models/<type>/image_processing_pil_<type>.py`; a file may leave them out. */
const CLASS_DEFAULTS: Readonly<Record<string, Json>> = {
  CLIPImageProcessor: CLIP,
  LlavaImageProcessor: CLIP,
  SiglipImageProcessor: { ...HALF, resample: 3 },
  ViTImageProcessor: { ...HALF, resample: 2 },
};

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSide(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value > 0;
}

function sizeOf(value: unknown, key: string, source: string): ImageSize {
  if (isSide(value)) return { width: value, height: value };
  if (isObject(value) && isSide(value["height"]) && isSide(value["width"]))
    return { width: value["width"], height: value["height"] };
  throw processorUnsupported(
    source,
    `The ${key} ${shown(value)} is not a size.`,
    `Write { "height", "width" }${key === "size" ? ' or { "shortest_edge" }' : ""}.`,
  );
}

function resizeOf(size: unknown, type: string, source: string): { readonly shortestEdge: number } | ImageSize {
  const byShortestEdge = CLASS_DEFAULTS[type] === CLIP;
  if (byShortestEdge && isSide(size)) return { shortestEdge: size };
  if (isObject(size) && isSide(size["shortest_edge"]) && size["longest_edge"] === undefined)
    return { shortestEdge: size["shortest_edge"] };
  return sizeOf(size, "size", source);
}

/**
 * Reads an image processor's config in the form of CLIP (`CLIPImageProcessor` and kin, with or without `Fast`).
 * @throws THAW_DATA_PROCESSOR for a class or setting that is not reproduced
 */
export function parseClipImageConfig(file: Json, source: string): ClipImageOptions {
  const type = imageProcessorClass(file, Object.keys(CLASS_DEFAULTS), "CLIPImageProcessor", source);
  const config = { ...CLASS_DEFAULTS[type], ...file };
  if (config["do_pad"] === true && type !== "LlavaImageProcessor")
    throw processorUnsupported(
      source,
      `The setting do_pad of ${type} is not reproduced.`,
      "Set it to false, or use LlavaImageProcessor, which pads to a square.",
    );
  const resize = config["do_resize"] === false ? null : resizeOf(config["size"], type, source);
  const crop = config["do_center_crop"] === true ? sizeOf(config["crop_size"], "crop_size", source) : null;
  const fixed = crop ?? (resize !== null && "width" in resize ? resize : null);
  if (fixed === null) {
    throw processorUnsupported(
      source,
      "Images of any shape would come out: they are neither cropped nor resized to a fixed size.",
      'Set do_center_crop with a crop_size, or a size of { "height", "width" }.',
    );
  }
  return {
    ...readPixelOptions(config, source),
    padToSquare: config["do_pad"] === true,
    resize,
    crop,
    size: fixed,
  };
}
