import { createHash } from "node:crypto";
import { readPlainFile } from "@thaw/contracts";
import { augmentImage } from "../images/augment.js";
import { decodeRgb, rasterizeSvg } from "../images/decode.js";
import { MAX_IMAGE_BYTES } from "../images/size-limits.js";
import type { AugmentOptions } from "../formats/options.js";
import type { ImageProcessor, ImageSize, RgbImage } from "../images/processor.js";
import type { MediaProcessorModule } from "../media/processor.js";
import type { ImageReference } from "../samples/sample.js";

/** An image to be decoded and processed. */
export interface ImageTask {
  readonly modality: "image";
  readonly source: ImageReference;
  readonly exif: boolean;
  /** For drawings. */
  readonly rasterSize: ImageSize;
  /** Of the bytes that the content key was made of; a file that changed since is refused. */
  readonly sha256?: string;
  readonly augment?: { readonly options: AugmentOptions; readonly seed: number };
  readonly processor: MediaProcessorModule;
}

/** One item to be decoded and processed; plain data. */
export type DecodeTask = ImageTask;

/** Errors cross threads as data; the caller knows the sample and makes the error. */
export type DecodeReply =
  | { readonly ok: true; readonly inputs: Readonly<Record<string, Float32Array>> }
  | { readonly ok: false; readonly problem: "missing" | "broken" | "changed" | "processor"; readonly message: string };

const processors = new Map<string, Promise<ImageProcessor>>();

/** Imports a processor once per thread and options. */
function processorOf({ module, exportName, options }: MediaProcessorModule): Promise<ImageProcessor> {
  const key = JSON.stringify([module, exportName, options]);
  let processor = processors.get(key);
  if (processor === undefined) {
    processor = import(module).then((exports: Readonly<Record<string, (options: unknown) => ImageProcessor>>) => {
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
  return { ok: false, problem, message: cause instanceof Error ? cause.message : String(cause) };
}

async function pixelsOf(task: ImageTask): Promise<RgbImage | "changed"> {
  const { source } = task;
  if (source.kind === "svg") return rasterizeSvg(source.svg, task.rasterSize, source.background);
  const bytes = source.kind === "file" ? await readPlainFile(source.path, MAX_IMAGE_BYTES) : source.bytes;
  if (task.sha256 !== undefined && sha256(bytes) !== task.sha256) return "changed";
  return decodeRgb(bytes, { exif: task.exif });
}

/** Reads, decodes, augments and processes one item on the calling thread. Never rejects. */
export async function runDecodeTask(task: DecodeTask): Promise<DecodeReply> {
  let image: RgbImage | "changed";
  try {
    image = await pixelsOf(task);
  } catch (cause) {
    return failed(isMissing(cause) ? "missing" : "broken", cause);
  }
  if (image === "changed") return failed("changed", "other bytes than before");
  let processor: ImageProcessor;
  try {
    processor = await processorOf(task.processor);
  } catch (cause) {
    return failed("processor", cause);
  }
  try {
    return {
      ok: true,
      inputs: processor.process(
        task.augment === undefined ? image : augmentImage(image, task.augment.options, task.augment.seed),
      ),
    };
  } catch (cause) {
    return failed("broken", cause);
  }
}
