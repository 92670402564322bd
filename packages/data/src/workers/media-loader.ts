import { openPlainFile, readPlainFile, type MediaItem } from "@thaw/contracts";
import { readImageSize } from "../images/decode.js";
import { MAX_IMAGE_BYTES } from "../images/size-limits.js";
import type { DecodePool } from "./decode-pool.js";
import { type DecodeReply, type DecodeTask, sha256 } from "./decode-task.js";
import { fileUnreadable, mediaBroken, mediaChanged, mediaMissing, workerFailed } from "../errors.js";
import { mediaName } from "../samples/media-reference.js";
import type { AugmentOptions } from "../formats/options.js";
import type { ImageSize } from "../images/processor.js";
import { mediaOf, type ItemPlan, type Processor } from "../media/processor.js";
import type { SampleMedia } from "../samples/sample.js";

/** Part of every content key: raise it when the same settings begin to give other values. */
const PROCESSING_VERSION = 2;

/** An item before its place in a batch is known. */
export type LooseItem = Omit<MediaItem, "sample" | "columns">;

/** One item of a batch, and a way to start its decoding early. */
export interface PendingItem {
  readonly item: LooseItem;
  /** Starts decoding; the item's `load` then waits for it. Errors come out of `load`. */
  prefetch(): void;
}

/** Makes items of what samples refer to. */
export interface MediaLoader {
  /**
   * Reads no pixels, and of a file its header alone, once, where the processor needs sizes.
   * @throws THAW_DATA_IMAGE_MISSING, THAW_DATA_IMAGE_BROKEN
   */
  plan(media: SampleMedia, origin: string): Promise<ItemPlan>;
  /**
   * Decodes nothing. Of an item that is new, reads the bytes for their hash and keeps them until it is decoded.
   * `onLoad` is told when the item is asked for.
   */
  open(
    media: SampleMedia,
    origin: string,
    options?: { readonly augmentSeed?: number; readonly onLoad?: () => void },
  ): Promise<PendingItem>;
}

async function bytesOf(media: SampleMedia, origin: string): Promise<Uint8Array | string> {
  const { source } = media;
  if (source.kind === "svg") return source.svg;
  if (source.kind === "bytes") return source.bytes;
  return readPlainFile(source.path, MAX_IMAGE_BYTES).catch((cause: unknown) => {
    throw unreadable(media, source.path, origin, cause);
  });
}

/** Width and height as they are once the image is decoded; of a drawing, those that it is rasterised at. */
async function sizeOf(
  media: SampleMedia,
  origin: string,
  { rasterSize, exif }: { readonly rasterSize: ImageSize; readonly exif: boolean },
): Promise<ImageSize> {
  const { source } = media;
  if (source.kind === "svg") return rasterSize;
  if (source.kind === "file")
    await openPlainFile(source.path)
      .then((handle) => handle.close())
      .catch((cause: unknown) => {
        throw unreadable(media, source.path, origin, cause);
      });
  return readImageSize(source.kind === "file" ? source.path : source.bytes, { exif }).catch((cause: unknown) => {
    throw mediaBroken(media.modality, mediaName(media), origin, cause);
  });
}

function unreadable({ modality }: SampleMedia, path: string, origin: string, cause: unknown): Error {
  return (cause as NodeJS.ErrnoException).code === "ENOENT"
    ? mediaMissing(modality, path, origin)
    : fileUnreadable(path, `The ${modality} of ${origin}`, cause);
}

function problem(reply: Extract<DecodeReply, { ok: false }>, task: DecodeTask, origin: string): Error {
  const { modality } = task;
  const name = mediaName(task);
  if (reply.problem === "missing") return mediaMissing(modality, name, origin);
  if (reply.problem === "changed") return mediaChanged(modality, name, origin);
  return reply.problem === "broken"
    ? mediaBroken(modality, name, origin, reply.message)
    : workerFailed(task.processor.module, reply.message);
}

/** The same task on bytes that are in memory. */
function withBytes({ sha256: _hash, ...task }: DecodeTask, bytes: Uint8Array): DecodeTask {
  return { ...task, source: { kind: "bytes", bytes } };
}

/** What decides an item's values, its bytes included. */
function contentKey(task: DecodeTask, byteHash: string): string {
  const { module: _module, ...processing } = task.processor;
  const drawing = task.source.kind === "svg" ? [task.rasterSize, task.source.background] : [];
  return sha256(
    JSON.stringify([
      PROCESSING_VERSION,
      task.source.kind === "svg",
      byteHash,
      drawing,
      task.exif,
      task.augment,
      processing,
    ]),
  );
}

/** What was loaded is handed over, not kept: loading twice decodes twice. */
function pendingItem(
  modality: string,
  plan: ItemPlan,
  key: string,
  decode: () => Promise<Readonly<Record<string, Float32Array>>>,
  onLoad?: () => void,
): PendingItem {
  let running: ReturnType<typeof decode> | undefined;
  const item: LooseItem = {
    modality,
    contentKey: key,
    facts: plan.facts,
    inputs: plan.inputs,
    load: () => {
      onLoad?.();
      const loaded = running ?? decode();
      running = undefined;
      return loaded;
    },
  };
  return {
    item,
    prefetch: () => {
      running ??= decode();
      running.catch(() => undefined);
    },
  };
}

/** A loader on a pool; bytes are hashed once per item for as long as the loader lives. */
export function createMediaLoader(
  processor: Processor,
  pool: DecodePool,
  options: { readonly exif: boolean; readonly augment?: AugmentOptions },
): MediaLoader {
  // How many pictures there are does not change the one that a seed gives.
  const { views: _views, ...augment } = options.augment ?? {};
  const hashes = new WeakMap<SampleMedia["source"], string>();
  const plans = new WeakMap<SampleMedia["source"], ItemPlan>();
  const plan = async (media: SampleMedia, origin: string): Promise<ItemPlan> => {
    const known = plans.get(media.source);
    if (known !== undefined) return known;
    const { needsSize, rasterSize, plan: planOf } = mediaOf(processor, media.modality, origin);
    const made = planOf(needsSize ? await sizeOf(media, origin, { rasterSize, exif: options.exif }) : undefined);
    plans.set(media.source, made);
    return made;
  };
  return {
    plan,
    open: async (media, origin, { augmentSeed, onLoad } = {}) => {
      const { source, modality } = media;
      const { worker, rasterSize } = mediaOf(processor, modality, origin);
      const known = hashes.get(source);
      let bytes = known === undefined ? await bytesOf(media, origin) : undefined;
      const hash = known ?? sha256(bytes!);
      hashes.set(source, hash);
      const task: DecodeTask = {
        ...media,
        exif: options.exif,
        rasterSize,
        sha256: hash,
        augment:
          options.augment === undefined || augmentSeed === undefined
            ? undefined
            : { options: augment, seed: augmentSeed },
        processor: worker,
      };
      const decode = async (): Promise<Readonly<Record<string, Float32Array>>> => {
        // What was read for the hash is what is decoded; later on the hash tells whether the file is still the same.
        const own = bytes === undefined || typeof bytes === "string" ? task : withBytes(task, bytes);
        bytes = undefined;
        const reply = await pool.run(own);
        if (!reply.ok) throw problem(reply, task, origin);
        return reply.inputs;
      };
      return pendingItem(modality, await plan(media, origin), contentKey(task, hash), decode, onLoad);
    },
  };
}
