import { epochOrder, mixSeeds } from "../random.js";

/** Micro-batches among which samples are sorted by length: enough to pad little, few enough to stay random. */
const SORTED_BATCHES = 50;

/**
 * An epoch's order in which the samples of a micro-batch are about equally long: stretches of it are sorted by length
 * and cut into micro-batches, whose order is drawn anew (transformers 5.24, `LengthGroupedSampler`, which leaves the
 * longest first).
 */
export function groupedByLength(
  order: Int32Array,
  lengths: ArrayLike<number>,
  { microBatchSize, seed, epoch }: { readonly microBatchSize: number; readonly seed: number; readonly epoch: number },
): Int32Array {
  const grouped = new Int32Array(order.length);
  const size = SORTED_BATCHES * microBatchSize;
  for (let start = 0; start < order.length; start += size) {
    const sorted = order.slice(start, start + size).sort((one, other) => lengths[other]! - lengths[one]!);
    const whole = Math.floor(sorted.length / microBatchSize);
    const places = epochOrder(whole, { seed: mixSeeds(seed, start), epoch, shuffle: true });
    for (const [to, from] of places.entries())
      grouped.set(sorted.subarray(from * microBatchSize, (from + 1) * microBatchSize), start + to * microBatchSize);
    // What makes no whole micro-batch stays behind: the shortest of the last stretch.
    grouped.set(sorted.subarray(whole * microBatchSize), start + whole * microBatchSize);
  }
  return grouped;
}

/** Share of a run's tokens that is padding, for an order of samples. */
export function paddingShare(order: Int32Array, lengths: ArrayLike<number>, microBatchSize: number): number {
  let real = 0;
  let all = 0;
  for (let start = 0; start < order.length; start += microBatchSize) {
    const batch = order.subarray(start, start + microBatchSize);
    let longest = 0;
    for (const index of batch) {
      real += lengths[index]!;
      longest = Math.max(longest, lengths[index]!);
    }
    all += longest * batch.length;
  }
  return all === 0 ? 0 : 1 - real / all;
}
