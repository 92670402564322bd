import { createHash } from "node:crypto";

/**
 * Uniform numbers in [0, 1), the same for the same seed and label: mulberry32 (Tommy Ettinger, public domain) seeded by
 * sha256.
 */
export function seededRandom(seed: number, label: string): () => number {
  let state = createHash("sha256").update(`${seed}\n${label}`).digest().readUInt32LE(0);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
