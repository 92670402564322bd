import type { FileHandle } from "node:fs/promises";
import { openPlainFile, ThawError, type MediaItem, type SampleMedia } from "@thaw/contracts";
import type { ClipSize } from "../audio/clip.js";
import { clipSize } from "../audio/decode-clip.js";
import { readImageSize } from "../images/decode.js";
import type { DecodePool } from "./decode-pool.js";
import { MAX_BYTES, sha256, type AudioTask, type DecodeReply, type DecodeTask, type ImageTask } from "./decode-task.js";
import { fileUnreadable, workerFailed } from "../errors/files.js";
import { MEDIA_WORDS, mediaBroken, mediaChanged, mediaMissing } from "../errors/media.js";
import { mediaName } from "../samples/media-reference.js";
import type { AugmentOptions } from "../formats/generated/option-types.js";
import type { ImageSize } from "../images/processor.js";
import { readMedia } from "../media/stored-bytes.js";
import { mediaOf, type ItemPlan, type MediaProcessor, type Processor } from "../media/processor.js";

/** Part of every content key: raise it when the same settings begin to give other values. */
const PROCESSING_VERSION = 2;
/** So much of a sound file is read for its header. */
const BEGINNING_BYTES = 65_536;

/** An item before its place in a batch is known. */
export type LooseItem = Omit<MediaItem, "sample" | "columns">;

/** One item of a batch, and a way to start its decoding early. */
export interface PendingItem {
  readonly item: LooseItem;
  /** Starts decoding; the item's `load` then waits for it. Errors come out of `load`. */
  prefetch(): void;
  /** Starts decoding, and waits until it is done. @throws as `load` */
  ready(): Promise<void>;
}

/** Makes items of what samples refer to. */
export interface MediaLoader {
  /**
   * Where the processor needs sizes, reads of a file its header, once; of a clip whose header does not tell its length
   * it decodes all.
   * @throws THAW_DATA_IMAGE_MISSING, THAW_DATA_IMAGE_BROKEN, THAW_DATA_AUDIO_MISSING, THAW_DATA_AUDIO_BROKEN
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
  const { source, modality } = media;
  if (source.kind === "svg") return source.svg;
  return readMedia(source, MAX_BYTES[modality]).catch((cause: unknown) => {
    throw unreadable(media, mediaName(media), origin, cause);
  });
}

/** Opens what has to be a file. */
async function opened(media: SampleMedia, path: string, origin: string): Promise<FileHandle> {
  return openPlainFile(path).catch((cause: unknown) => {
    throw unreadable(media, path, origin, cause);
  });
}

/** Width and height as they are once the image is decoded; of a drawing, those that it is rasterised at. */
async function imageSize(task: ImageTask, origin: string): Promise<ImageSize> {
  const { source, rasterSize, exif } = task;
  if (source.kind === "svg") return rasterSize;
  if (source.kind === "file") await (await opened(task, source.path, origin)).close();
  const image = source.kind === "file" ? source.path : ((await bytesOf(task, origin)) as Uint8Array);
  return readImageSize(image, { exif }).catch((cause: unknown) => {
    throw mediaBroken(task.modality, mediaName(task), origin, cause);
  });
}

/** Length of a clip once it is resampled: as its beginning says it, else as it is decoded. */
async function clipLength(task: AudioTask, pool: DecodePool, origin: string): Promise<ClipSize> {
  const [beginning, size] = await beginningOf(task, origin);
  try {
    const known = clipSize(beginning, size, task.samplingRate);
    if (known !== undefined) return known;
  } catch (cause) {
    throw mediaBroken(task.modality, mediaName(task), origin, cause);
  }
  const { processor: _processor, ...asked } = task;
  const reply = await pool.run(asked);
  if (!reply.ok) throw problem(reply, task, origin);
  return reply.size as ClipSize;
}

async function beginningOf(media: AudioTask, origin: string): Promise<readonly [bytes: Uint8Array, size: number]> {
  const { source } = media;
  if (source.kind !== "file") {
    const bytes = (await bytesOf(media, origin)) as Uint8Array;
    return [bytes, bytes.length];
  }
  const handle = await opened(media, source.path, origin);
  try {
    const { size } = await handle.stat();
    const bytes = Buffer.alloc(Math.min(size, BEGINNING_BYTES));
    await handle.read(bytes, 0, bytes.length, 0);
    return [bytes, size];
  } finally {
    await handle.close();
  }
}

function unreadable({ modality }: SampleMedia, path: string, origin: string, cause: unknown): Error {
  if (cause instanceof ThawError) return cause;
  return (cause as NodeJS.ErrnoException).code === "ENOENT"
    ? mediaMissing(modality, path, origin)
    : fileUnreadable(path, `The ${MEDIA_WORDS[modality]} of ${origin}`, cause);
}

function problem(reply: Extract<DecodeReply, { ok: false }>, task: DecodeTask, origin: string): Error {
  const { modality } = task;
  const name = mediaName(task);
  if (reply.problem === "missing") return mediaMissing(modality, name, origin);
  if (reply.problem === "changed") return mediaChanged(modality, name, origin);
  return reply.problem === "broken"
    ? mediaBroken(modality, name, origin, reply.message)
    : workerFailed(task.processor!.module, reply.message);
}

/** The same task on bytes that are in memory. */
function withBytes({ sha256: _hash, ...task }: DecodeTask, bytes: Uint8Array): DecodeTask {
  return { ...task, source: { kind: "bytes", bytes } };
}

/** What decides an item's values, its bytes included. */
function contentKey(task: DecodeTask, byteHash: string): string {
  const { module: _module, ...processing } = task.processor!;
  if (task.modality === "audio")
    return sha256(JSON.stringify([PROCESSING_VERSION, task.modality, byteHash, task.samplingRate, processing]));
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
    ready: async () => {
      running ??= decode();
      await running;
    },
  };
}

/** What becomes of an item of that size. @throws THAW_DATA_*_BROKEN where the processor does not take it */
function planned<Size>(
  media: SampleMedia,
  processor: MediaProcessor<Size>,
  size: Size | undefined,
  origin: string,
): ItemPlan {
  try {
    return processor.plan(size);
  } catch (cause) {
    throw cause instanceof ThawError ? cause : mediaBroken(media.modality, mediaName(media), origin, cause);
  }
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
  const taskOf = (media: SampleMedia, origin: string, augmentSeed?: number): DecodeTask => {
    if (media.modality === "audio") {
      const { worker, samplingRate } = mediaOf(processor, media.modality, origin);
      return { ...media, samplingRate, processor: worker };
    }
    const { worker, rasterSize } = mediaOf(processor, media.modality, origin);
    const { exif } = options;
    const isChanged = options.augment !== undefined && augmentSeed !== undefined;
    const change = isChanged ? { options: augment, seed: augmentSeed } : undefined;
    return { ...media, exif, rasterSize, augment: change, processor: worker };
  };
  const planOf = async (media: SampleMedia, origin: string): Promise<ItemPlan> => {
    const task = taskOf(media, origin);
    if (task.modality === "audio") {
      const audio = mediaOf(processor, task.modality, origin);
      return planned(task, audio, audio.needsSize ? await clipLength(task, pool, origin) : undefined, origin);
    }
    const image = mediaOf(processor, task.modality, origin);
    return planned(task, image, image.needsSize ? await imageSize(task, origin) : undefined, origin);
  };
  const plan = async (media: SampleMedia, origin: string): Promise<ItemPlan> => {
    const made = plans.get(media.source) ?? (await planOf(media, origin));
    plans.set(media.source, made);
    return made;
  };
  return {
    plan,
    open: async (media, origin, { augmentSeed, onLoad } = {}) => {
      const { source, modality } = media;
      const asked = taskOf(media, origin, augmentSeed);
      const known = hashes.get(source);
      let bytes = known === undefined ? await bytesOf(media, origin) : undefined;
      const hash = known ?? sha256(bytes!);
      hashes.set(source, hash);
      const task = { ...asked, sha256: hash };
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
