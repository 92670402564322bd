/** A seeded stream of numbers in `[0, 1)`. */
export type Random = () => number;

/**
 * Mixes whole numbers into one 32-bit seed, so that (seed, epoch, sample) has its own stream. Finalizer of MurmurHash3
 * (Appleby, public domain).
 */
export function mixSeeds(...parts: readonly number[]): number {
  let hash = 0x9e3779b9;
  for (const part of parts) {
    hash = Math.imul(hash ^ (part | 0), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return hash >>> 0;
}

/** Mulberry32 (Ettinger, public domain): 32 bits of state, the same numbers on every machine. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** The order of an epoch: 0 to `count - 1`, shuffled (Fisher and Yates) by (seed, epoch), or as it is. */
export function epochOrder(
  count: number,
  options: { readonly seed: number; readonly epoch: number; readonly shuffle: boolean },
): Int32Array {
  const order = Int32Array.from({ length: count }, (_, index) => index);
  if (!options.shuffle) return order;
  const random = seededRandom(mixSeeds(options.seed, options.epoch));
  for (let last = count - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other] as number, order[last] as number];
  }
  return order;
}
