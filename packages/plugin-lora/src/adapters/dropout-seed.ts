import { seededRandom, type ScopeContext } from "@thaw/core";

/**
 * Seed of one layer's dropout in one micro-batch: a function of these alone, so that a resumed run, and a block that is
 * computed again in backward, drop the same elements. 32 bits.
 */
export function dropoutSeed(
  seed: number,
  { step, microBatch }: Pick<ScopeContext, "step" | "microBatch">,
  module: string,
): number {
  return Math.floor(seededRandom(seed, `lora dropout ${step} ${microBatch} ${module}`)() * 2 ** 32) | 0;
}
