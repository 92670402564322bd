import type { Batch, MediaItem } from "../batch.js";

/** Whose the rows of a stretch of a pass are, by row. */
export interface RowOwners {
  /** Rows of the batch: its samples. */
  readonly samples: Int32Array;
  /** Which of its sample's rows it is: the same whatever else is in the batch. */
  readonly places: Int32Array;
}

/** Whose the rows are, if there are so many; undefined where that is not known. */
export type FindOwners = (rowCount: number) => RowOwners | undefined;

/** Owners of rows of the flattened `[batch * tokens]`; places are counted from a sample's first token. */
export function ownersOfTokens(
  rows: Int32Array,
  { attentionMask, batchSize, tokenCount }: Pick<Batch, "attentionMask" | "batchSize" | "tokenCount">,
): RowOwners {
  const firsts = Array.from({ length: batchSize }, (_, sample) =>
    attentionMask.subarray(sample * tokenCount, (sample + 1) * tokenCount).indexOf(1),
  );
  const samples = rows.map((row) => Math.floor(row / tokenCount));
  return { samples, places: rows.map((row, at) => (row % tokenCount) - firsts[samples[at]!]!) };
}

/**
 * Finds owners of what a part makes of items, one item's rows after the other's: each has as many, or as many in
 * proportion to what is read of it. Where rows fit neither way they are not known.
 */
export function ownersOfItems(items: readonly MediaItem[], input: string | undefined): FindOwners {
  const read = items.map(({ inputs }) => (input === undefined ? 1 : (inputs[input]?.rows ?? 1)));
  const total = read.reduce((sum, rows) => sum + rows, 0);
  return (rowCount) => {
    const counts = read.map((rows) => (rowCount * rows) / total);
    if (total === 0 || !counts.every(Number.isInteger)) return undefined;
    const [samples, places] = [new Int32Array(rowCount), new Int32Array(rowCount)];
    const seen = new Map<number, number>();
    let row = 0;
    for (const [index, { sample }] of items.entries()) {
      const first = seen.get(sample) ?? 0;
      for (let at = 0; at < counts[index]!; at++, row++) {
        samples[row] = sample;
        places[row] = first + at;
      }
      seen.set(sample, first + counts[index]!);
    }
    return { samples, places };
  };
}
