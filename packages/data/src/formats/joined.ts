import type { SampleSet } from "@thaw/contracts";

/** A set of several, one behind the other, and which of them a sample is of. */
export interface JoinedSet extends SampleSet {
  partOf(index: number): number;
}

/** Several sets as one, one behind the other; what they say of their pictures is the first one's. */
export function joinedSets(sets: readonly SampleSet[]): JoinedSet {
  let count = 0;
  const firsts = sets.map((set) => (count += set.count) - set.count);
  const partOf = (index: number): number => firsts.findLastIndex((first) => first <= index);
  const [one] = sets;
  return {
    ...(one?.exif === undefined ? {} : { exif: one.exif }),
    ...(one?.concepts === undefined ? {} : { concepts: one.concepts }),
    origin: sets.map(({ origin }) => origin).join(", "),
    count,
    partOf,
    read: (index) => {
      const part = partOf(index);
      return sets[part]!.read(index - firsts[part]!);
    },
    fingerprint: async (first, end) => {
      if (sets.length === 1 && one!.fingerprint !== undefined) return one!.fingerprint(first, end);
      const hashes: string[] = [];
      for (const [part, set] of sets.entries()) {
        const [from, to] = [Math.max(0, first - firsts[part]!), Math.min(set.count, end - firsts[part]!)];
        if (from < to) hashes.push((await set.fingerprint?.(from, to)) ?? `${set.count} samples`);
      }
      return hashes.join("-");
    },
    close: async () => {
      for (const set of sets) await set.close?.();
    },
  };
}
