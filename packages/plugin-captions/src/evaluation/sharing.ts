import type { Ensemble } from "@thaw/core";

/** Thrown where an evaluation was told to stop; processes that share it all stop then. */
export class Stopped extends Error {}

/** The processes that share an evaluation. */
export type Sharers = Pick<Ensemble, "rank" | "size" | "gather">;

/** One process by itself. */
export const ALONE: Sharers = { rank: 0, size: 1, gather: async (value) => [value] };

/**
 * Of items in batches of at most `most` those of one process: whole batches in turn, as even as they come, so that no
 * process is left without while there are as many items.
 */
export function shareOf<Item>(
  items: readonly Item[],
  most: number,
  { rank, size }: Omit<Sharers, "gather">,
): { readonly batchSize: number; readonly mine: readonly Item[] } {
  const batchSize = Math.min(most, Math.ceil(items.length / size));
  return { batchSize, mine: items.filter((_, index) => Math.floor(index / batchSize) % size === rank) };
}

/**
 * What all processes made of their shares, rank by rank; JSON. @throws {@link Stopped} on all where one was told to
 * stop, THAW_CORE_RANK_LOST
 */
export async function gatherShares<T>(work: () => Promise<readonly T[]>, sharers: Sharers): Promise<readonly T[]> {
  if (sharers.size === 1) return work();
  const own = await work().catch(async (error: unknown) => {
    if (error instanceof Stopped) await sharers.gather(null);
    throw error;
  });
  const all = await sharers.gather<readonly T[] | null>(own);
  if (all.includes(null)) throw new Stopped();
  return all.flatMap((one) => one ?? []);
}
