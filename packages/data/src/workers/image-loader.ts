import { readFile } from "node:fs/promises";
import type { LazyItem } from "@thaw/contracts";
import { readImageSize } from "../images/decode.js";
import type { DecodePool } from "./decode-pool.js";
import { type DecodeReply, type DecodeTask, sha256 } from "./decode-task.js";
import { fileUnreadable, imageBroken, imageChanged, imageMissing, workerFailed } from "../errors.js";
import { imageName } from "../samples/image-reference.js";
import type { AugmentOptions } from "../formats/options.js";
import type { ImagePlan, Processor } from "../images/processor.js";
import type { ImageReference } from "../samples/sample.js";

/** Part of every content key: raise it when the same settings begin to give other values. */
const PROCESSING_VERSION = 1;

/** One image of a batch: its items, and a way to start its decoding early. */
export interface PendingImage {
  readonly items: readonly LazyItem[];
  readonly plan: ImagePlan;
  /** Starts decoding; the items' `load` then waits for it. Errors come out of `load`. */
  prefetch(): void;
}

/** Makes lazy items of image references. */
export interface ImageLoader {
  /**
   * Reads no pixels; headers only where the processor needs sizes. @throws THAW_DATA_IMAGE_MISSING,
   * THAW_DATA_IMAGE_BROKEN
   */
  plan(image: ImageReference, origin: string): Promise<ImagePlan>;
  /** Reads the bytes once for their hash, decodes nothing. `onLoad` is told when an item is first asked for. */
  open(
    image: ImageReference,
    origin: string,
    options?: { readonly augmentSeed?: number; readonly onLoad?: () => void },
  ): Promise<PendingImage>;
}

async function bytesOf(image: ImageReference, origin: string): Promise<Uint8Array | string> {
  if (image.kind === "svg") return image.svg;
  if (image.kind === "bytes") return image.bytes;
  return readFile(image.path).catch((cause: unknown) => {
    throw (cause as NodeJS.ErrnoException).code === "ENOENT"
      ? imageMissing(image.path, origin)
      : fileUnreadable(image.path, `The image of ${origin}`, cause);
  });
}

function problem(reply: Extract<DecodeReply, { ok: false }>, task: DecodeTask, origin: string): Error {
  const name = imageName(task.image);
  if (reply.problem === "missing") return imageMissing(name, origin);
  if (reply.problem === "changed") return imageChanged(name, origin);
  return reply.problem === "broken"
    ? imageBroken(name, origin, reply.message)
    : workerFailed(task.processor.module, reply.message);
}

/** What decides an image's values, its bytes included. */
function contentKey(task: DecodeTask, byteHash: string): string {
  const { module: _module, ...processing } = task.processor;
  const drawing = task.image.kind === "svg" ? [task.rasterSize, task.image.background] : [];
  return sha256(
    JSON.stringify([
      PROCESSING_VERSION,
      task.image.kind === "svg",
      byteHash,
      drawing,
      task.exif,
      task.augment,
      processing,
    ]),
  );
}

/** Items that share one decoding. What was loaded is handed over, not kept: loading twice decodes twice. */
function pendingImage(
  plan: ImagePlan,
  key: string,
  decode: () => Promise<Readonly<Record<string, readonly Float32Array[]>>>,
  onLoad?: () => void,
): PendingImage {
  let running: ReturnType<typeof decode> | undefined;
  let waiting = plan.items.length;
  const start = (): ReturnType<typeof decode> => (running ??= decode());
  const seen: Record<string, number> = {};
  const items = plan.items.map(({ input, shape }, index): LazyItem => {
    const position = seen[input] ?? 0;
    seen[input] = position + 1;
    return {
      contentKey: plan.items.length === 1 ? key : `${key}-${index}`,
      shape,
      load: async () => {
        onLoad?.();
        const inputs = start();
        waiting -= 1;
        if (waiting <= 0) {
          running = undefined;
          waiting = plan.items.length;
        }
        return (await inputs)[input]?.[position] as Float32Array;
      },
    };
  });
  return { items, plan, prefetch: () => void start().catch(() => undefined) };
}

/** A loader on a pool; bytes are hashed once per image for as long as the loader lives. */
export function createImageLoader(
  processor: Processor,
  pool: DecodePool,
  options: { readonly exif: boolean; readonly augment?: AugmentOptions },
): ImageLoader {
  // How many pictures there are does not change the one that a seed gives.
  const { views: _views, ...augment } = options.augment ?? {};
  const hashes = new WeakMap<ImageReference, string>();
  const plans = new WeakMap<ImageReference, ImagePlan>();
  const fixedPlan = processor.needsImageSize ? undefined : processor.planImage();
  const plan = async (image: ImageReference, origin: string): Promise<ImagePlan> => {
    const known = fixedPlan ?? plans.get(image);
    if (known !== undefined) return known;
    const bytes = await bytesOf(image, origin);
    const size =
      typeof bytes === "string"
        ? processor.rasterSize
        : await readImageSize(bytes, options).catch((cause: unknown) => {
            throw imageBroken(imageName(image), origin, cause);
          });
    const made = processor.planImage(size);
    plans.set(image, made);
    return made;
  };
  return {
    plan,
    open: async (image, origin, { augmentSeed, onLoad } = {}) => {
      let hash = hashes.get(image);
      if (hash === undefined) {
        hash = sha256(await bytesOf(image, origin));
        hashes.set(image, hash);
      }
      const task: DecodeTask = {
        image,
        exif: options.exif,
        rasterSize: processor.rasterSize,
        sha256: hash,
        augment:
          options.augment === undefined || augmentSeed === undefined
            ? undefined
            : { options: augment, seed: augmentSeed },
        processor: processor.imageProcessor,
      };
      const decode = async (): Promise<Readonly<Record<string, readonly Float32Array[]>>> => {
        const reply = await pool.run(task);
        if (!reply.ok) throw problem(reply, task, origin);
        return reply.inputs;
      };
      return pendingImage(await plan(image, origin), contentKey(task, hash), decode, onLoad);
    },
  };
}
