import type { DatasetFormat, FormatContext, SampleSet } from "@thaw/contracts";
import { isUnseenConcept } from "../samples/concepts.js";
import { setEmpty } from "../errors/files.js";
import { isOfSample } from "../errors/of-sample.js";
import { WHOLE_SET } from "../samples/sizes.js";
import { chosenFrom, firstOf, keeping } from "./sample-sets.js";
import { formatOptions, type ResolvedSource } from "./source-schema.js";

/** The samples of a data set, and the concepts that it has at all. */
export interface LoadedSamples {
  readonly samples: SampleSet;
  /** Also of samples that were left out; empty where the set names none, or is too large to know all of them. */
  knownConcepts(): Promise<ReadonlySet<string>>;
}

/** The concept of each sample, undefined where it has none or cannot be read. */
async function* conceptsIn(set: SampleSet, skips: boolean): AsyncGenerator<string | undefined> {
  for (let index = 0; index < set.count; index += 1)
    yield await set.read(index).then(
      ({ concept }) => concept,
      (error: unknown) => {
        if (skips && isOfSample(error)) return undefined;
        throw error;
      },
    );
}

/** The samples of a set whose concepts are wanted. */
async function withConcepts(set: SampleSet, skips: boolean): Promise<SampleSet> {
  const { concepts = "all" } = set;
  if (concepts === "all") return set;
  const indices: number[] = [];
  let index = 0;
  for await (const concept of conceptsIn(set, skips)) {
    if (concept !== undefined && isUnseenConcept(concept) === (concepts === "unseen")) indices.push(index);
    index += 1;
  }
  return chosenFrom(set, Int32Array.from(indices));
}

async function knownIn(set: SampleSet): Promise<ReadonlySet<string>> {
  const known = new Set<string>();
  if (set.count > WHOLE_SET) return known;
  for await (const concept of conceptsIn(set, true)) if (concept !== undefined) known.add(concept);
  return known;
}

/**
 * Opens a data set's samples, without decoding an item. With `skips` records that cannot be read are no error yet. The
 * caller closes the samples.
 * @throws THAW_DATA_* naming its file
 */
export async function loadSamples(
  format: DatasetFormat,
  options: ResolvedSource,
  context: FormatContext & { readonly skips?: boolean },
): Promise<LoadedSamples> {
  const { skips = false, ...given } = context;
  const set = keeping(await format.open(formatOptions(format, options), given));
  try {
    const chosen = await withConcepts(set, skips);
    const samples = options.limit === undefined ? chosen : firstOf(chosen, options.limit);
    if (samples.count === 0) {
      throw setEmpty(
        set.origin,
        set.count === 0
          ? "Write at least one sample."
          : `Its ${set.count} samples are all left out by concepts: ${set.concepts}.`,
      );
    }
    let known: Promise<ReadonlySet<string>> | undefined;
    return { samples, knownConcepts: () => (known ??= knownIn(set)) };
  } catch (cause) {
    await set.close?.();
    throw cause;
  }
}
