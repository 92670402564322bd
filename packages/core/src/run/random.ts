import { createHash } from "node:crypto";
import { mulberry32, type Random } from "@thaw/contracts";

/** Uniform numbers in [0, 1), the same for the same seed and label: their sha256 is the generator's seed. */
export function seededRandom(seed: number, label: string): Random {
  return mulberry32(createHash("sha256").update(`${seed}\n${label}`).digest().readUInt32LE(0));
}
