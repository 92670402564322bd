import { createHash, type Hash } from "node:crypto";
import { stat } from "node:fs/promises";
import type { Sample, SampleMedia, SampleSet } from "@thaw/contracts";
import { mediaBroken, mediaMissing } from "../errors/media.js";
import { isOfSample } from "../errors/of-sample.js";
import { refusalOf } from "../errors/samples.js";
import { mediaKey } from "../samples/media-key.js";

/** So many samples of a larger set are read before anything starts. */
const PART = 20_000;
const CONCURRENT_CHECKS = 64;
/** Stretches of the data set that a difference is told apart by. */
export const STRETCHES = 128;

/** A sample that cannot be used, and why. */
export interface Problem {
  readonly origin: string;
  readonly error: unknown;
}

/** An item, and the first sample that has it. */
export interface FoundItem {
  readonly item: SampleMedia;
  readonly index: number;
  readonly origin: string;
}

/** What reading samples tells, without their items. */
export interface Surveyed {
  /** Numbers of the samples that were read: all, or some spread over a large set. */
  readonly indices: Int32Array;
  /** Of each of these, about how long it is: characters, and tokens of its items. */
  readonly sizes: Float64Array;
  /** Different items by their key. */
  readonly items: ReadonlyMap<string, FoundItem>;
  /** Of samples without an item, by their place here, a hash of the conversation. */
  readonly conversations: ReadonlyMap<number, string>;
  /** Of each of these samples, the keys of its items and whether one is a sound. */
  readonly keys: readonly (readonly string[])[];
  readonly hasSound: readonly boolean[];
  /** Hash over the conversations of each stretch; of a set that was read whole. */
  readonly stretches: readonly string[];
}

/** How many samples a stretch of a set holds. */
export function stretchSize(count: number): number {
  return Math.ceil(count / STRETCHES);
}

function chosenIndices(count: number, isWhole: boolean): Int32Array {
  if (isWhole) return Int32Array.from({ length: count }, (_, index) => index);
  return Int32Array.from({ length: PART }, (_, index) => Math.floor((index * count) / PART));
}

/** How a survey is made. */
export interface SurveyOptions {
  /** Read all samples, not some of them. */
  readonly isWhole: boolean;
  /** By kind, how many tokens an item stands for. */
  readonly mediaTokens: ReadonlyMap<string, number>;
  /** Where what is wrong goes if the source skips it. */
  readonly problems: Map<number, Problem>;
  readonly skips: boolean;
}

/**
 * Reads all samples of a set, or of a large one some, and asks whether their files are there.
 * @throws THAW_DATA_* of a sample that cannot be read, and of all those whose files are missing
 */
export async function survey(set: SampleSet, options: SurveyOptions): Promise<Surveyed> {
  const indices = chosenIndices(set.count, options.isWhole);
  const sizes = new Float64Array(indices.length);
  const items = new Map<string, FoundItem>();
  const keys: string[][] = [];
  const hasSound: boolean[] = [];
  const hashes = new StretchHashes(stretchSize(set.count));
  const files = new FileChecks();
  const conversations = new Map<number, string>();
  for (const [position, index] of indices.entries()) {
    const sample = await readOr(set, index, options);
    hashes.add(sample);
    const media = sample?.media ?? [];
    if (sample !== undefined) {
      if (media.length === 0) conversations.set(position, hashOf(sample.messages));
      sizes[position] = sizeOf(sample, options.mediaTokens);
      await files.add(sample, index);
    }
    keys.push(media.map(mediaKey));
    hasSound.push(media.some(({ modality }) => modality === "audio"));
    for (const [at, item] of media.entries()) {
      const key = keys[position]![at]!;
      if (!items.has(key)) items.set(key, { item, index, origin: sample!.origin });
    }
  }
  const missing = await files.end();
  if (missing.length > 0 && !options.skips) throw refusalOf(missing.map(({ problem }) => problem));
  for (const { index, problem } of missing) if (!options.problems.has(index)) options.problems.set(index, problem);
  return { indices, sizes, conversations, items, keys, hasSound, stretches: hashes.end() };
}

/** A sample, or undefined where it cannot be read and is to be skipped. */
async function readOr(set: SampleSet, index: number, { problems, skips }: SurveyOptions): Promise<Sample | undefined> {
  try {
    return await set.read(index);
  } catch (error) {
    if (!skips || !isOfSample(error)) throw error;
    problems.set(index, { origin: error.details.origin, error });
    return undefined;
  }
}

function sizeOf({ messages, media }: Sample, mediaTokens: ReadonlyMap<string, number>): number {
  let size = 0;
  for (const { modality } of media) size += mediaTokens.get(modality) ?? 0;
  for (const { content } of messages) for (const part of content) if (part.type === "text") size += part.text.length;
  return size;
}

/** The first 16 hexadecimal digits of the SHA-256 of a value's JSON. */
export function hashOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);
}

/** The hash of each stretch of samples: that of the JSON of its list, made piece by piece. */
class StretchHashes {
  readonly #size: number;
  readonly #done: string[] = [];
  #hash: Hash | undefined;
  #count = 0;

  constructor(size: number) {
    this.#size = size;
  }

  add(sample: Sample | undefined): void {
    this.#hash ??= createHash("sha256").update("[");
    if (this.#count > 0) this.#hash.update(",");
    this.#hash.update(JSON.stringify(sample === undefined ? null : [sample.messages, sample.media.length]));
    this.#count += 1;
    if (this.#count === this.#size) this.#close();
  }

  #close(): void {
    if (this.#hash === undefined) return;
    this.#done.push(this.#hash.update("]").digest("hex").slice(0, 16));
    this.#hash = undefined;
    this.#count = 0;
  }

  end(): readonly string[] {
    this.#close();
    return this.#done;
  }
}

type Found = "a file" | "something else" | "nothing";

/** Asks of files whether they are there, many at a time and each once. */
class FileChecks {
  readonly #found = new Map<string, Promise<Found>>();
  readonly #missing: { readonly index: number; readonly problem: Problem }[] = [];
  #running: Promise<void>[] = [];

  async add({ media, origin }: Sample, index: number): Promise<void> {
    for (const { modality, source } of media) {
      if (!("path" in source)) continue;
      const { path } = source;
      const found = this.#found.get(path) ?? lookFor(path);
      this.#found.set(path, found);
      const tell = (error: Error): void => void this.#missing.push({ index, problem: { origin, error } });
      this.#running.push(
        found.then((what) => {
          if (what === "nothing") tell(mediaMissing(modality, path, origin));
          if (what === "something else") tell(mediaBroken(modality, path, origin, "it is not a file"));
        }),
      );
    }
    if (this.#running.length >= CONCURRENT_CHECKS) await this.#settle();
  }

  async #settle(): Promise<void> {
    await Promise.all(this.#running);
    this.#running = [];
  }

  async end(): Promise<readonly { readonly index: number; readonly problem: Problem }[]> {
    await this.#settle();
    return this.#missing.toSorted((one, other) => one.index - other.index);
  }
}

function lookFor(path: string): Promise<Found> {
  return stat(path).then(
    (status) => (status.isFile() ? "a file" : "something else"),
    () => "nothing",
  );
}
