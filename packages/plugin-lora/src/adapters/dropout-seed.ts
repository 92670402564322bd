import { seededRandom, type RowOwners, type ScopeContext } from "@thaw/core";

/**
 * Seed of one layer's dropout in one micro-batch: a function of these alone, so that a resumed run, and a block that is
 * computed again in backward, drop the same elements. 32 bits.
 */
export function dropoutSeed(
  seed: number,
  { step, microBatch }: Pick<ScopeContext, "step" | "microBatch">,
  module: string,
): number {
  return drawn(seed, `lora dropout ${step} ${microBatch} ${module}`);
}

/**
 * Seeds of one layer's dropout, one for each row: functions of step, layer, the sample's id and the row's place in it,
 * so that a sample loses the same in whatever micro-batch, and on whatever rank, it is.
 */
export function rowSeeds(
  seed: number,
  { step, samples }: { readonly step: number; readonly samples: readonly string[] },
  module: string,
  owners: RowOwners,
): Int32Array {
  const ofSample = samples.map((id) => drawn(seed, `lora dropout ${step} ${module} of ${id}`));
  return owners.places.map((place, row) => mixed(ofSample[owners.samples[row]!]! ^ mixed(place + 1)));
}

function drawn(seed: number, what: string): number {
  return Math.floor(seededRandom(seed, what)() * 2 ** 32) | 0;
}

/** The finalizer of MurmurHash3 (Austin Appleby, public domain): every bit depends on every one. */
function mixed(bits: number): number {
  let state = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return state ^ (state >>> 16);
}
