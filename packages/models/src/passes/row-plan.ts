import type { RowRange } from "@thaw/autograd";
import type { LoadedBatch } from "@thaw/contracts";
import type { LayerKind } from "../decoders/layer-kind.js";
import type { Sight } from "./attending.js";

/** Fewer tokens than these before an image do not pay. */
const LEAST_TOKENS = 4;
/** Nor do they where they are less than this share of all rows: every layer has to put keys and values together. */
const LEAST_SHARE = 0.05;

/** Rows before a sample's first item whose keys and values may be made apart. */
export interface Prompts {
  /** By sample, how many of its first rows these are. */
  readonly lengths: readonly number[];
  /** Position of a sample's first row; those of the others follow, the same on all axes. */
  readonly firstPosition: number;
}

/**
 * By sample, the column from which nothing is needed for the given rows of the flattened batch: the one behind the last
 * of them, or behind the last row that one of them sees.
 */
export function neededEnds(
  { batchSize, tokenCount }: Pick<LoadedBatch, "batchSize" | "tokenCount">,
  rows: Int32Array,
  bothWays: readonly RowRange[],
): readonly number[] {
  const ends = Array.from({ length: batchSize }, () => 0);
  for (const row of rows) {
    const sample = Math.floor(row / tokenCount);
    ends[sample] = Math.max(ends[sample]!, (row % tokenCount) + 1);
  }
  for (const { first, end } of bothWays) {
    const sample = Math.floor(first / tokenCount);
    if (first < sample * tokenCount + ends[sample]!) ends[sample] = Math.max(ends[sample]!, end - sample * tokenCount);
  }
  return ends;
}

/**
 * The tokens before a sample's first item, before the first row that the loss reads and before the first that sees what
 * comes after it: they depend on nothing but the language model. Undefined where they are too few to pay, where padding
 * comes first or positions do not count up, and in decoders with recurrent layers, which need the state behind them.
 */
export function planPrompts(
  batch: Pick<LoadedBatch, "attentionMask" | "batchSize" | "tokenCount" | "media">,
  rows: Int32Array,
  { positions, bothWays }: Sight,
  kinds: readonly LayerKind[],
): Prompts | undefined {
  const { attentionMask, batchSize, tokenCount } = batch;
  if (kinds.some(({ isRecurrent }) => isRecurrent === true)) return undefined;
  const firsts = firstColumns(batch, rows, bothWays);
  const lengths = firsts.map((first) => (first < LEAST_TOKENS ? 0 : first));
  const sum = lengths.reduce((total, length) => total + length, 0);
  if (sum === 0 || sum < LEAST_SHARE * batchSize * tokenCount) return undefined;
  if (lengths.some((_, sample) => attentionMask[sample * tokenCount] === 0)) return undefined;
  const sampleWithPrompt = lengths.findIndex((length) => length > 0);
  const firstPosition = positions.axes[0]![sampleWithPrompt * tokenCount]!;
  const countsUp = lengths.every((length, sample) =>
    positions.axes.every((axis) =>
      axis
        .subarray(sample * tokenCount, sample * tokenCount + length)
        .every((position, column) => position === firstPosition + column),
    ),
  );
  return countsUp ? { lengths, firstPosition } : undefined;
}

/** By sample, the first column that is wanted, stands for an item or sees both ways; 0 where the loss reads nothing. */
function firstColumns(
  { batchSize, tokenCount, media }: Pick<LoadedBatch, "batchSize" | "tokenCount" | "media">,
  rows: Int32Array,
  bothWays: readonly RowRange[],
): readonly number[] {
  const firsts = Array.from({ length: batchSize }, () => tokenCount);
  const cut = (sample: number, column: number): void => {
    firsts[sample] = Math.min(firsts[sample]!, column);
  };
  for (const row of rows) cut(Math.floor(row / tokenCount), row % tokenCount);
  const isRead = firsts.map((first) => first < tokenCount);
  for (const { sample, columns } of media) cut(sample, columns[0] ?? tokenCount);
  for (const { first } of bothWays) cut(Math.floor(first / tokenCount), first % tokenCount);
  return firsts.map((first, sample) => (isRead[sample] ? first : 0));
}
