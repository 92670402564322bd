/** What sums numbers over all ranks. */
export interface Engine {
  /** For messages. */
  readonly name: string;
  /** Sums in place; the same length on every rank, and the same bits afterwards. Rejects where that fails. */
  sum(values: Float32Array): Promise<void>;
  close(): Promise<void>;
}

/** A neighbour of the ring is gone. */
export class BrokenRing extends Error {
  readonly rank: number;

  constructor(rank: number, cause: unknown) {
    super("the connection with a neighbour ended", { cause });
    this.rank = rank;
  }
}
