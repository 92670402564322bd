import { epochOrder, mixSeeds } from "../random.js";

/** How sets of one run are put together. */
export type MixStrategy = "concatenate" | "interleave";

/** What the order needs to know of a set. */
export interface MixedPart {
  readonly count: number;
  /** Its share of an epoch beside the other sets' weights. */
  readonly weight?: number | undefined;
  /** How many of its samples an epoch holds. */
  readonly samples?: number | undefined;
}

/** Which epoch, and how it is ordered. */
export interface EpochOptions {
  readonly seed: number;
  readonly epoch: number;
  readonly shuffle: boolean;
}

/**
 * How many samples of each set an epoch holds: as many as it says, or its share of all by weight, or all that it has.
 * Shares are rounded to the whole numbers nearest to them that make the sum (largest remainders).
 */
export function samplesPerEpoch(parts: readonly MixedPart[]): readonly number[] {
  const weights = parts.map(({ weight = 0 }) => weight);
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  if (all === 0) return parts.map(({ count, samples = count }) => samples);
  const total = parts.reduce((sum, { count }) => sum + count, 0);
  const shares = weights.map((weight) => (weight / all) * total);
  const whole = shares.map(Math.floor);
  const left = total - whole.reduce((sum, count) => sum + count, 0);
  const byRemainder = [...shares.keys()].sort(
    (one, other) => shares[other]! - whole[other]! - shares[one]! + whole[one]!,
  );
  for (const index of byRemainder.slice(0, left)) whole[index]! += 1;
  return whole;
}

/**
 * The samples of an epoch as numbers over all sets, one set's behind the other's. A set that gives fewer or more than
 * it has goes on in the next epoch where it stopped: its samples come equally often. `concatenate` shuffles all
 * together; `interleave` takes turns, each set as often as its share.
 */
export function mixedOrder(parts: readonly MixedPart[], mix: MixStrategy, options: EpochOptions): Int32Array {
  const perEpoch = samplesPerEpoch(parts);
  const isWhole = parts.every(({ count }, index) => perEpoch[index] === count);
  const total = perEpoch.reduce((sum, count) => sum + count, 0);
  if (isWhole && (mix === "concatenate" || parts.length === 1)) return epochOrder(total, options);
  let first = 0;
  const drawn = parts.map(({ count }, index) => {
    const own = drawnOf(count, perEpoch[index]!, { ...options, seed: mixSeeds(options.seed, index) });
    const numbers = own.map((number) => number + first);
    first += count;
    return numbers;
  });
  if (mix === "interleave") return interleaved(drawn, total);
  const joined = Int32Array.from(drawn.flatMap((numbers) => [...numbers]));
  return epochOrder(total, options).map((position) => joined[position]!);
}

/** Numbers `epoch * wanted` to `(epoch + 1) * wanted - 1` of a set's epochs, one behind the other. */
function drawnOf(count: number, wanted: number, { seed, epoch, shuffle }: EpochOptions): Int32Array {
  const drawn = new Int32Array(wanted);
  let order: Int32Array | undefined;
  let round = -1;
  for (let index = 0; index < wanted; index += 1) {
    const position = epoch * wanted + index;
    const own = Math.floor(position / count);
    if (own !== round) order = epochOrder(count, { seed, epoch: own, shuffle });
    round = own;
    drawn[index] = order![position % count]!;
  }
  return drawn;
}

/** At each place the set that is furthest behind its share. */
function interleaved(drawn: readonly Int32Array[], total: number): Int32Array {
  const taken = drawn.map(() => 0);
  return Int32Array.from({ length: total }, (_, place) => {
    let best = 0;
    let most = Number.NEGATIVE_INFINITY;
    for (const [index, { length }] of drawn.entries()) {
      const behind = length * (place + 1) - total * taken[index]!;
      if (taken[index]! < length && behind > most) [best, most] = [index, behind];
    }
    const number = drawn[best]![taken[best]!]!;
    taken[best]! += 1;
    return number;
  });
}
