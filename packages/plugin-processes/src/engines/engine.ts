/** What sums numbers over all ranks. Every rank asks for the same, in the same order. */
export interface Engine {
  /** For messages. */
  readonly name: string;
  /**
   * Sums in place; the same length on every rank, and the same bits afterwards. Rejects where that fails. Sums may be
   * asked for while others are under way.
   */
  sum(values: Float32Array): Promise<void>;
  /**
   * Sums for one rank alone, in place there; what the numbers of others are afterwards is not said. Absent: summed for
   * all.
   */
  sumFor?(owner: number, values: Float32Array): Promise<void>;
  /** Sums where tensors lie on the card; absent: numbers have to come to the host. */
  readonly device?: DeviceEngine;
  /** Lets go on what is under way; for callers that leave no room for others. */
  advance?(): void;
  close(): Promise<void>;
}

/** Numbers on a card that are to be summed once they are computed. */
export interface DeviceSum {
  /** Pairs of addresses: each rank's numbers, and where the sums go. */
  readonly parts: readonly { readonly from: bigint; readonly to: bigint; readonly count: number }[];
  /** The rank that alone gets the sums; absent: all do. */
  readonly owner?: number | undefined;
  /** Told at once when the sums are there, before what waits for them goes on. */
  readonly onDone?: () => void;
  /** Where 32 bits appear once the numbers are there; they do not change before the sums are there. */
  readonly marker: { readonly address: bigint; readonly bits: number };
}

/** What sums numbers on cards. */
export interface DeviceEngine {
  sum(work: DeviceSum): Promise<void>;
}

/** A neighbour of the ring is gone. */
export class BrokenRing extends Error {
  readonly rank: number;

  constructor(rank: number, cause: unknown) {
    super("the connection with a neighbour ended", { cause });
    this.rank = rank;
  }
}
