import { mulberry32 } from "@thaw/contracts";

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

/** The order of an epoch: 0 to `count - 1`, shuffled (Fisher and Yates) by (seed, epoch), or as it is. */
export function epochOrder(
  count: number,
  options: { readonly seed: number; readonly epoch: number; readonly shuffle: boolean },
): Int32Array {
  const order = Int32Array.from({ length: count }, (_, index) => index);
  if (!options.shuffle) return order;
  const random = mulberry32(mixSeeds(options.seed, options.epoch));
  for (let last = count - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other] as number, order[last] as number];
  }
  return order;
}
