import type { Tensor } from "@tensorflow/tfjs-core";

/**
 * The processes that train one model together, each with all of it and with its own part of the samples. Every rank
 * makes the same calls in the same order; a call settles when all ranks have made it. What carries the numbers
 * (sockets, MPI, NCCL) is a plugin's matter: core knows this alone.
 */
export interface Ensemble {
  /** This process, from 0. Rank 0 writes. */
  readonly rank: number;
  /** How many there are. */
  readonly size: number;
  /**
   * Sums over all ranks, by name. Names, their order and shapes are the same on every rank; float32. Takes the tensors
   * over: the result, which the caller disposes, may be made of them. Equal to the last bit on every rank. More may be
   * asked for while earlier sums are under way.
   * @throws THAW_CORE_RANK_LOST
   */
  sum(tensors: ReadonlyMap<string, Tensor>): Promise<ReadonlyMap<string, Tensor>>;
  /**
   * Sums for one rank alone, which gets what {@link sum} gives; others get nothing back. In one order with sums of all.
   * Absent: core sums for all, and drops it.
   * @throws THAW_CORE_RANK_LOST
   */
  sumFor?(owner: number, tensors: ReadonlyMap<string, Tensor>): Promise<ReadonlyMap<string, Tensor>>;
  /** Lets sums that are under way go on, for a caller that leaves no room for others. */
  advance?(): void;
  /** What each rank gave, by rank; values are JSON. @throws THAW_CORE_RANK_LOST */
  gather<T>(value: T): Promise<readonly T[]>;
  /**
   * With `lost`: tells all ranks that the one it names is lost, which ends what they wait for; a call without follows,
   * once what is left is saved. Without: leaves; others that still wait for this rank, or do so later, are told that it
   * has ended. Later calls change nothing.
   */
  close(lost?: LostRank): Promise<void>;
}

/** A rank that failed, as far as others are told. */
export interface LostRank {
  readonly rank: number;
  readonly reason: string;
}

/** One process that trains by itself. */
export const ALONE: Ensemble = Object.freeze({
  rank: 0,
  size: 1,
  sum: async (tensors: ReadonlyMap<string, Tensor>) => tensors,
  gather: async <T>(value: T) => [value],
  close: async () => undefined,
});

/** What rank 0 gave: for decisions that all have to take alike. Values are JSON. @throws THAW_CORE_RANK_LOST */
export async function agree<T>(ensemble: Ensemble, value: T): Promise<T> {
  if (ensemble.size === 1) return value;
  // undefined is no JSON
  const [first] = await ensemble.gather(value ?? null);
  return (first ?? undefined) as T;
}
