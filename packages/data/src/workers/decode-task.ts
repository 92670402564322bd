import { createHash } from "node:crypto";
import type { SampleMedia } from "@thaw/contracts";
import { MAX_CLIP_BYTES, type AudioClip, type AudioProcessor, type ClipSize } from "../audio/clip.js";
import { decodeClip } from "../audio/decode-clip.js";
import { augmentImage } from "../images/augment.js";
import { decoderLine } from "../errors/first-line.js";
import { decodeRgb, rasterizeSvg } from "../images/decode.js";
import { recognise, TELLING_BYTES } from "../records/first-bytes.js";
import { MAX_IMAGE_BYTES } from "../images/size-limits.js";
import type { AugmentOptions } from "../formats/generated/option-types.js";
import type { ImageProcessor, ImageSize, RgbImage } from "../images/processor.js";
import type { MediaProcessorModule } from "../media/processor.js";
import { readMedia } from "../media/stored-bytes.js";

/** Of an item of any kind. */
interface CommonTask {
  /** Of the bytes that the content key was made of; a file that changed since is refused. */
  readonly sha256?: string;
  /** Absent: the item's size alone is asked for. */
  readonly processor?: MediaProcessorModule;
}

/** An image to be decoded and processed. */
export type ImageTask = CommonTask &
  Extract<SampleMedia, { modality: "image" }> & {
    readonly exif: boolean;
    /** For drawings. */
    readonly rasterSize: ImageSize;
    readonly augment?: { readonly options: AugmentOptions; readonly seed: number };
  };

/** A clip to be decoded and processed. */
export type AudioTask = CommonTask &
  Extract<SampleMedia, { modality: "audio" }> & {
    /** Hertz that it is resampled to. */
    readonly samplingRate: number;
  };

/** One item to be decoded and processed; plain data. */
export type DecodeTask = ImageTask | AudioTask;

/** Errors cross threads as data; the caller knows the sample and makes the error. */
export type DecodeReply =
  | {
      readonly ok: true;
      readonly inputs: Readonly<Record<string, Float32Array>>;
      /** As it is once it is decoded. */
      readonly size: ImageSize | ClipSize;
    }
  | { readonly ok: false; readonly problem: "missing" | "broken" | "changed" | "processor"; readonly message: string };

/** Largest file of an item that is read. */
export const MAX_BYTES: Readonly<Record<SampleMedia["modality"], number>> = {
  image: MAX_IMAGE_BYTES,
  audio: MAX_CLIP_BYTES,
};

type AnyProcessor = ImageProcessor | AudioProcessor;
type Decoded = RgbImage | AudioClip;

const processors = new Map<string, Promise<AnyProcessor>>();

/** Imports a processor once per thread and options. */
function processorOf({ module, exportName, options }: MediaProcessorModule): Promise<AnyProcessor> {
  const key = JSON.stringify([module, exportName, options]);
  let processor = processors.get(key);
  if (processor === undefined) {
    processor = import(module).then((exports: Readonly<Record<string, (options: unknown) => AnyProcessor>>) => {
      const create = exports[exportName];
      if (create === undefined) throw new Error(`${module} has no export ${exportName}`);
      return create(options);
    });
    processors.set(key, processor);
  }
  return processor;
}

export function sha256(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("hex");
}

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && (cause.code === "ENOENT" || cause.code === "EISDIR");
}

function failed(problem: "missing" | "broken" | "changed" | "processor", cause: unknown): DecodeReply {
  const message = problem === "broken" ? decoderLine(cause) : cause instanceof Error ? cause.message : String(cause);
  return { ok: false, problem, message };
}

async function decoded(task: DecodeTask): Promise<Decoded | "changed"> {
  const { source } = task;
  if (source.kind === "svg") return rasterizeSvg(source.svg, (task as ImageTask).rasterSize, source.background);
  const bytes = await readMedia(source, MAX_BYTES[task.modality]);
  if (task.sha256 !== undefined && sha256(bytes) !== task.sha256) return "changed";
  if (task.modality === "image")
    return decodeRgb(bytes, { exif: task.exif }).catch((cause: unknown) => {
      throw foreignBytes(bytes) ?? cause;
    });
  return decodeClip(bytes, task.samplingRate);
}

/** What bytes are that are no picture at all; undefined where that is not known. */
function foreignBytes(bytes: Uint8Array): Error | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, TELLING_BYTES));
  const found = recognise(head);
  return found === undefined || found.isPicture === true ? undefined : new Error(`it is ${found.name}`);
}

/** Reads, decodes, augments and processes one item on the calling thread. Never rejects. */
export async function runDecodeTask(task: DecodeTask): Promise<DecodeReply> {
  let item: Decoded | "changed";
  try {
    item = await decoded(task);
  } catch (cause) {
    return failed(isMissing(cause) ? "missing" : "broken", cause);
  }
  if (item === "changed") return failed("changed", "other bytes than before");
  const size = "samples" in item ? { sampleCount: item.samples.length } : { width: item.width, height: item.height };
  if (task.processor === undefined) return { ok: true, inputs: {}, size };
  let processor: AnyProcessor;
  try {
    processor = await processorOf(task.processor);
  } catch (cause) {
    return failed("processor", cause);
  }
  try {
    return { ok: true, inputs: processor.process(augmented(item, task) as never), size };
  } catch (cause) {
    return failed("broken", cause);
  }
}

function augmented(item: Decoded, task: DecodeTask): Decoded {
  if (task.modality !== "image" || task.augment === undefined) return item;
  return augmentImage(item as RgbImage, task.augment.options, task.augment.seed);
}
