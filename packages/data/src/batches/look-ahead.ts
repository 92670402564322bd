import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { refusalOf } from "../errors.js";
import { placeholdersOf, type MediaProcessor, type Processor } from "../media/processor.js";
import { MODALITIES } from "../samples/media-reference.js";
import type { Sample, SampleMedia } from "../samples/sample.js";
import type { MediaLoader } from "../workers/media-loader.js";
import type { LookedAt } from "./data-source.js";
import type { Encoder } from "./encoder.js";
import { peek, type Peek } from "./peek.js";

/** Time for looking at samples, and as much for images: of sets that take longer a part is looked at. */
const LIMIT_MS = 10_000;
const AT_A_TIME = 64;
/** Stretches of the data set that a difference is told apart by. */
const STRETCHES = 128;

/** What looking needs of a source. */
export interface LookAheadInput {
  readonly samples: readonly Sample[];
  readonly processor: Processor;
  readonly encode: Encoder;
  readonly loader: MediaLoader;
  /** False: samples end with a question. */
  readonly answered: boolean;
  readonly limitMs?: number;
}

/** What was found: nothing wrong, and what the set is made of. */
export interface LookAhead {
  readonly lookedAt: LookedAt;
  /** Hashes by what they are of; see `BatchSource.identity`. */
  readonly identity: Readonly<Record<string, string>>;
}

/**
 * Asks what is cheap to know of every sample before one is trained on: that the template renders it, that it has an
 * answer and fits, that every token has an embedding, that every image is a file that begins and ends as an image does.
 * Samples likely to be longest come first.
 * @throws THAW_DATA_* of the first that cannot be used, with the number and names of the others
 */
export async function lookAhead(input: LookAheadInput): Promise<LookAhead> {
  const { samples } = input;
  const problems = new Map<Sample, unknown>();
  const lookedAt = await encodeAll(input, problems);
  const peeks = await peekAll(input, problems);
  const bad = samples.filter((sample) => problems.has(sample));
  if (bad.length > 0) throw refusalOf(bad.map((sample) => ({ origin: sample.origin, error: problems.get(sample) })));
  const imageCount = new Set(samples.flatMap(({ media }) => media.map(mediaKey))).size;
  return {
    lookedAt: { samples: lookedAt, images: peeks.size, imageCount },
    identity: identityOf(input, peeks),
  };
}

async function encodeAll(
  { samples, processor, encode, answered, limitMs = LIMIT_MS }: LookAheadInput,
  problems: Map<Sample, unknown>,
): Promise<number> {
  const tokens = new Map(
    Object.entries(processor.media).map(([modality, media]: [string, MediaProcessor<unknown>]) => [
      modality,
      media.needsSize ? 0 : media.plan().tokenCount,
    ]),
  );
  const sizeOf = (sample: Sample): number =>
    sample.media.reduce((sum, { modality }) => sum + (tokens.get(modality) ?? 0), characterCount(sample));
  const sizes = new Map(samples.map((sample) => [sample, sizeOf(sample)]));
  const longestFirst = samples.toSorted((left, right) => sizes.get(right)! - sizes.get(left)!);
  const end = performance.now() + limitMs;
  let done = 0;
  for (const sample of longestFirst) {
    await encode(sample, answered).catch((error: unknown) => problems.set(sample, error));
    done += 1;
    if (done % AT_A_TIME !== 0) continue;
    await setImmediate();
    if (performance.now() > end) break;
  }
  return done;
}

async function peekAll(
  { samples, loader, limitMs = LIMIT_MS }: LookAheadInput,
  problems: Map<Sample, unknown>,
): Promise<ReadonlyMap<string, Peek>> {
  const users = new Map<string, { readonly item: SampleMedia; readonly sample: Sample }>();
  for (const sample of samples)
    for (const item of sample.media) if (!users.has(mediaKey(item))) users.set(mediaKey(item), { item, sample });
  const peeks = new Map<string, Peek>();
  const end = performance.now() + limitMs;
  const all = [...users];
  for (let start = 0; start < all.length && performance.now() <= end; start += AT_A_TIME)
    await Promise.all(
      all.slice(start, start + AT_A_TIME).map(async ([key, { item, sample }]) => {
        try {
          const look = await peek(item, sample.origin);
          // What does not look whole is decoded to be sure: trailers of cameras are not faults
          if (!look.looksWhole) await (await loader.open(item, sample.origin)).item.load();
          peeks.set(key, look);
        } catch (error) {
          if (!problems.has(sample)) problems.set(sample, error);
        }
      }),
    );
  return peeks;
}

/**
 * Hashes of what batches are made of, by stretches of the set; image contents (their sizes, beginnings and ends) only
 * where all were looked at.
 */
function identityOf(
  { samples, processor }: LookAheadInput,
  peeks: ReadonlyMap<string, Peek>,
): Readonly<Record<string, string>> {
  const identity: Record<string, string> = {};
  const size = Math.ceil(samples.length / STRETCHES);
  for (let start = 0; start < samples.length; start += size) {
    const stretch = samples.slice(start, start + size);
    const last = start + stretch.length;
    const name = stretch.length === 1 ? `sample ${last}` : `samples ${start + 1} to ${last}`;
    identity[name] = hashOf(stretch.map(({ messages, media }) => [messages, media.length]));
    const looks = stretch.flatMap(({ media }) => media.map((item) => peeks.get(mediaKey(item))?.hash));
    const kinds = stretch.some(({ media }) => media.some(({ modality }) => modality === "audio")) ? "items" : "images";
    if (looks.length > 0 && looks.every((look) => look !== undefined)) identity[`${kinds} of ${name}`] = hashOf(looks);
  }
  identity["the tokenizer or the chat template"] = hashOf(probe(processor));
  return identity;
}

/** What tokenizer and template make of a sample that every set could have. */
function probe({ tokenizer, template, media, endTokenIds }: Processor): unknown {
  const text = 'A small dog, 3 years old: "déjà vu" 東京 🐕\n';
  const messages = [
    {
      role: "user",
      content: [...MODALITIES.filter((kind) => media[kind]).map((type) => ({ type })), { type: "text" as const, text }],
    },
    { role: "assistant", content: [{ type: "text" as const, text }] },
  ];
  let rendered: string | undefined;
  try {
    rendered = template?.render(messages);
  } catch {
    rendered = "refused";
  }
  return [
    tokenizer.encode(text),
    tokenizer.vocabularySize,
    rendered,
    Object.values(placeholdersOf(media)).join(),
    endTokenIds,
  ];
}

function hashOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);
}

function mediaKey({ source }: SampleMedia): string {
  if (source.kind === "file") return source.path;
  return createHash("sha256")
    .update(source.kind === "svg" ? source.svg : source.bytes)
    .digest("hex");
}

function characterCount(sample: Sample): number {
  return sample.messages.reduce(
    (sum, { content }) =>
      sum + content.reduce((inner, part) => inner + (part.type === "text" ? part.text.length : 0), 0),
    0,
  );
}
