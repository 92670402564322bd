import type { Sample, SampleSet } from "@thaw/contracts";

/** Samples that are kept once they were read, so that what is known of them is known in the next epoch too. */
const KEPT_SAMPLES = 20_000;

/** Samples that are in memory. `origin` is what messages call them. */
export function sampleList(samples: readonly Sample[], origin: string): SampleSet {
  return { origin, count: samples.length, read: (index) => Promise.resolve(samples[index]!) };
}

function holdsBytes({ media }: Sample): boolean {
  return media.some(({ source }) => source.kind === "bytes");
}

/** The set with something of it changed; whoever made it may have made a class of it. */
function changed(set: SampleSet, changes: Partial<SampleSet>): SampleSet {
  return {
    origin: set.origin,
    count: set.count,
    read: (index) => set.read(index),
    ...(set.fingerprint === undefined ? {} : { fingerprint: (first, end) => set.fingerprint!(first, end) }),
    ...(set.exif === undefined ? {} : { exif: set.exif }),
    ...(set.concepts === undefined ? {} : { concepts: set.concepts }),
    close: async () => set.close?.(),
    ...changes,
  };
}

/** The same set, which keeps small samples that were read: of a small set all. */
export function keeping(set: SampleSet): SampleSet {
  const kept = new Map<number, Sample>();
  return changed(set, {
    read: async (index) => {
      const known = kept.get(index);
      if (known !== undefined) return known;
      const sample = await set.read(index);
      // Another read of the same sample may have been faster: one of them stays.
      const other = kept.get(index);
      if (other !== undefined) return other;
      if (kept.size < KEPT_SAMPLES && !holdsBytes(sample)) kept.set(index, sample);
      return sample;
    },
  });
}

/** Some samples of a set, by their numbers, in that order. */
export function chosenFrom(set: SampleSet, indices: Int32Array): SampleSet {
  return changed(set, {
    count: indices.length,
    read: (index) => set.read(indices[index]!),
    // Of all samples between the first and the last: what lies between them is part of where they stand.
    ...(set.fingerprint === undefined
      ? {}
      : { fingerprint: (first: number, end: number) => set.fingerprint!(indices[first]!, indices[end - 1]! + 1) }),
  });
}

/** The first samples of a set. */
export function firstOf(set: SampleSet, count: number): SampleSet {
  return changed(set, { count: Math.min(count, set.count) });
}

/** All samples of a set, one after the other. */
export async function* samplesIn(set: SampleSet): AsyncGenerator<Sample> {
  for (let index = 0; index < set.count; index += 1) yield await set.read(index);
}
