import { setImmediate } from "node:timers/promises";
import type { SampleMedia, SampleSet } from "@thaw/contracts";
import { refusalOf } from "../../errors/samples.js";
import type { MediaProcessor, Processor } from "../../media/processor.js";
import { mediaKey } from "../../samples/media-key.js";
import type { MediaLoader } from "../../workers/media-loader.js";
import type { LookedAt } from "../data-source.js";
import type { Encoder } from "../encoder.js";
import { identityOf, type SampleLooks } from "../identity.js";
import { peek, type Peek } from "../peek.js";
import { type Problem, survey, type Surveyed } from "../survey.js";

/** Time for looking at samples, and as much for images: of sets that take longer a part is looked at. */
const LIMIT_MS = 10_000;
/** Of a set that is too large to be read whole. */
const LARGE_LIMIT_MS = 2_000;
const AT_A_TIME = 64;
/** Of samples that were not encoded, about. */
const CHARACTERS_PER_TOKEN = 4;

/** What looking needs of a source. */
export interface LookAheadInput {
  readonly samples: SampleSet;
  readonly processor: Processor;
  readonly encode: Encoder;
  /** The loader of a sample's items. */
  readonly loaderOf: (index: number) => MediaLoader;
  /** False: samples end with a question. */
  readonly answered: boolean;
  /** Samples that cannot be used are told, not thrown. */
  readonly skips?: boolean;
  /** Read all samples, not some of them. */
  readonly isWhole: boolean;
  readonly limitMs?: number;
}

/** What was found: what is wrong, and what the set is made of. */
export interface LookAhead {
  readonly lookedAt: LookedAt;
  /** Hashes by what they are of; see `BatchSource.identity`. */
  readonly identity: Readonly<Record<string, string>>;
  readonly textOnlyShare: number;
  /** About how many tokens each sample has, by number; undefined of a set that was not read whole. */
  readonly lengths: Float64Array | undefined;
  /** See `DataSource.contents`. */
  readonly contents: readonly string[];
  /** By number; empty unless the source skips what is wrong. */
  readonly problems: ReadonlyMap<number, Problem>;
}

/**
 * Asks what is cheap to know of every sample before one is trained on: that it can be read, that its files are there,
 * that the template renders it, that it has an answer and fits, that every token has an embedding, that every image is
 * a file that begins and ends as an image does. Samples likely to be longest come first. Of a set that is too large to
 * be read whole, samples spread over all of it are looked at.
 * @throws THAW_DATA_* of the first that cannot be used, with the number and names of the others
 */
export async function lookAhead(input: LookAheadInput): Promise<LookAhead> {
  const { samples, skips = false, isWhole } = input;
  const limitMs = input.limitMs ?? (isWhole ? LIMIT_MS : LARGE_LIMIT_MS);
  const problems = new Map<number, Problem>();
  const surveyed = await survey(samples, { isWhole, mediaTokens: tokensOf(input.processor), problems, skips });
  const lengths = surveyed.sizes.map((size) => size / CHARACTERS_PER_TOKEN);
  const encoded = await encodeAll(input, surveyed, { problems, lengths }, limitMs);
  const peeks = await peekAll(input, surveyed, problems, limitMs);
  if (problems.size > 0 && !skips) {
    const bad = [...problems].sort(([one], [other]) => one - other).map(([, problem]) => problem);
    throw refusalOf(bad);
  }
  const looks: SampleLooks = { surveyed, peeks };
  return {
    lookedAt: {
      samples: encoded,
      images: peeks.size,
      imageCount: isWhole
        ? surveyed.items.size
        : Math.round((surveyed.items.size * samples.count) / surveyed.indices.length),
    },
    identity: await identityOf(samples, input.processor, looks, isWhole),
    lengths: isWhole ? lengths : undefined,
    textOnlyShare: surveyed.conversations.size / surveyed.indices.length,
    contents: surveyed.keys.map(
      (keys, position) => surveyed.conversations.get(position) ?? keys.map((key) => peeks.get(key)?.hash ?? key).join(),
    ),
    problems,
  };
}

/** By kind, how many tokens an item stands for, where that does not depend on its size. */
function tokensOf(processor: Processor): ReadonlyMap<string, number> {
  return new Map(
    Object.entries(processor.media).map(([modality, media]: [string, MediaProcessor<unknown>]) => [
      modality,
      media.needsSize ? 0 : media.plan().tokenCount,
    ]),
  );
}

async function encodeAll(
  { samples, encode, answered, loaderOf }: LookAheadInput,
  { indices, sizes }: Surveyed,
  { problems, lengths }: { readonly problems: Map<number, Problem>; readonly lengths: Float64Array },
  limitMs: number,
): Promise<number> {
  const longestFirst = [...indices.keys()].sort((left, right) => sizes[right]! - sizes[left]!);
  const end = performance.now() + limitMs;
  let done = 0;
  for (const position of longestFirst) {
    const index = indices[position]!;
    if (!problems.has(index)) {
      const sample = await samples.read(index);
      try {
        lengths[position] = (await encode(sample, loaderOf(index), answered ? "whole" : "prompt")).tokenIds.length;
      } catch (error) {
        problems.set(index, { origin: sample.origin, error });
      }
    }
    done += 1;
    if (done % AT_A_TIME !== 0) continue;
    await setImmediate();
    if (performance.now() > end) break;
  }
  return done;
}

async function peekAll(
  { loaderOf }: LookAheadInput,
  { items }: Surveyed,
  problems: Map<number, Problem>,
  limitMs: number,
): Promise<ReadonlyMap<string, Peek>> {
  const peeks = new Map<string, Peek>();
  const end = performance.now() + limitMs;
  const all = [...items.values()];
  const look = async (item: SampleMedia, index: number, origin: string): Promise<void> => {
    try {
      const seen = await peek(item, origin);
      // What does not look whole is decoded to be sure: trailers of cameras are not faults
      if (!seen.looksWhole) await (await loaderOf(index).open(item, origin)).item.load();
      peeks.set(mediaKey(item), seen);
    } catch (error) {
      if (!problems.has(index)) problems.set(index, { origin, error });
    }
  };
  for (let start = 0; start < all.length && performance.now() <= end; start += AT_A_TIME)
    await Promise.all(all.slice(start, start + AT_A_TIME).map(({ item, index, origin }) => look(item, index, origin)));
  return peeks;
}
