import type { LoadedBatch } from "@thaw/contracts";

/** The rows of a batch that a pass computes, one sample's after the other's. */
export interface KeptRows {
  /** Row of the flattened `[batch * tokens]` that each is, ascending. */
  readonly rows: Int32Array;
  /** Sample `s` has the kept rows `offsets[s]` to `offsets[s + 1]`. */
  readonly offsets: Int32Array;
  /** True if none is left out. */
  readonly isWhole: boolean;
}

/** Which of a batch's rows a pass may leave out. */
export interface RowLimits {
  /** Leave out padding. */
  readonly skipsPadding: boolean;
  /** By sample, the column before which nothing is needed; absent: everything is. */
  readonly starts?: readonly number[];
  /** By sample, the column from which nothing is needed; absent: everything is. */
  readonly ends?: readonly number[];
}

/** Leaves out padding and what comes before a sample's start or after its end. */
export function keepRows(
  { attentionMask, batchSize, tokenCount }: Pick<LoadedBatch, "attentionMask" | "batchSize" | "tokenCount">,
  { skipsPadding, starts, ends }: RowLimits,
): KeptRows {
  const rows: number[] = [];
  const offsets = new Int32Array(batchSize + 1);
  for (let sample = 0; sample < batchSize; sample++) {
    const end = ends?.[sample] ?? tokenCount;
    for (let row = sample * tokenCount + (starts?.[sample] ?? 0); row < sample * tokenCount + end; row++)
      if (!skipsPadding || attentionMask[row] !== 0) rows.push(row);
    offsets[sample + 1] = rows.length;
  }
  return { rows: Int32Array.from(rows), offsets, isWhole: rows.length === batchSize * tokenCount };
}

/** Rows of even samples end at a multiple of this, so that batches share shapes. */
const EVEN_ROWS = 16;
/** Even samples have at most this many times the rows that are needed. */
const EVEN_LIMIT = 1.25;

/**
 * The column at which all samples may end so that they have equally many rows, given their own ends; undefined if that
 * would add too many rows, or where padding comes before a sample's first token.
 */
export function evenEnd(
  { attentionMask, batchSize, tokenCount }: Pick<LoadedBatch, "attentionMask" | "batchSize" | "tokenCount">,
  ends: readonly number[] | undefined,
): number | undefined {
  const samples = Array.from({ length: batchSize }, (_, sample) =>
    attentionMask.subarray(sample * tokenCount, sample * tokenCount + (ends?.[sample] ?? tokenCount)),
  );
  const last = samples.reduce((most, { length }) => Math.max(most, length), 0);
  const end = Math.min(tokenCount, Math.ceil(last / EVEN_ROWS) * EVEN_ROWS);
  const needed = samples.reduce(
    (sum, sample) => sum + sample.reduce((count, isReal) => count + (isReal === 0 ? 0 : 1), 0),
    0,
  );
  return samples.some((sample) => sample[0] === 0) || batchSize * end > EVEN_LIMIT * needed ? undefined : end;
}

/** Kept row by row of the flattened batch; -1 for those left out. */
export function keptIndex({ rows }: KeptRows, rowCount: number): Int32Array {
  const index = new Int32Array(rowCount).fill(-1);
  rows.forEach((row, at) => {
    index[row] = at;
  });
  return index;
}
