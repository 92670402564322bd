import { createHash } from "node:crypto";
import { ranksDiffer } from "../errors/ensemble.js";
import type { Ensemble } from "./ensemble.js";

/**
 * Compares facts by name over all ranks, each with what rank 0 has. Values are short texts. @throws
 * THAW_CORE_RANKS_DIFFER on every rank, with the first that differs; THAW_CORE_RANK_LOST
 */
export async function compareRanks(ensemble: Ensemble, facts: Readonly<Record<string, string>>): Promise<void> {
  if (ensemble.size === 1) return;
  const all = await ensemble.gather(facts);
  for (const what of new Set(all.flatMap((one) => Object.keys(one)))) {
    const values = all.map((one) => one[what] ?? "nothing");
    if (values.some((value) => value !== values[0])) throw ranksDiffer(what, values);
  }
}

/** Any JSON value, short. */
export function digestOf(value: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify(value) ?? "")
    .digest("hex")
    .slice(0, 12);
}
