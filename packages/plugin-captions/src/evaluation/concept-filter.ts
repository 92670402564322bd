import type { Sample, SampleSet } from "@thaw/core";
import { isUnseenConcept } from "@thaw/data";

/**
 * Which samples are scored: `known` those whose concept the training set has at all (every sample where that is
 * unknown), `seen` and `unseen` the trained and the held-out part of these, `all` every sample.
 */
export type ConceptFilter = "known" | "seen" | "unseen" | "all";

/** Samples to score, as numbers, and how many have a concept that the training set lacks. */
export async function selectConcepts(
  samples: SampleSet,
  filter: ConceptFilter,
  knownConcepts: ReadonlySet<string>,
): Promise<{ readonly indices: number[]; readonly unknown: number }> {
  const isKnown = ({ concept }: Sample): boolean =>
    concept === undefined || knownConcepts.size === 0 || knownConcepts.has(concept);
  const matches = (sample: Sample): boolean => {
    if (filter === "all") return true;
    if (!isKnown(sample)) return false;
    return (
      filter === "known" || (sample.concept !== undefined && isUnseenConcept(sample.concept) === (filter === "unseen"))
    );
  };
  const indices: number[] = [];
  let unknown = 0;
  for (let index = 0; index < samples.count; index += 1) {
    const sample = await samples.read(index);
    if (matches(sample)) indices.push(index);
    if (filter !== "all" && !isKnown(sample)) unknown += 1;
  }
  return { indices, unknown };
}
