import type { RowCounts, RowSavings } from "@thaw/core";
import type { ResolvedSavingsOptions } from "../options.js";

/** What a batch is told to leave out; undefined where that is all. */
export function rowSavingsOf({
  padding,
  tail,
  lastLayer,
  logits,
  prefix,
}: ResolvedSavingsOptions): RowSavings | undefined {
  const rows = { padding, tail, lastLayer, logits, prefix };
  return Object.values(rows).every(Boolean) ? undefined : rows;
}

/** Shares of all rows of the language model that were left out, by name of the number. */
export function rowShares({
  rows,
  padding,
  tail,
  prefix,
  prefixComputed,
  lastLayer,
  logits,
}: RowCounts): Readonly<Record<string, number>> {
  const share = (count: number): number => (rows === 0 ? 0 : count / rows);
  return {
    rowsSkipped: share(padding + tail + prefix - prefixComputed),
    rowsPadding: share(padding),
    rowsTail: share(tail),
    rowsPrefix: share(prefix - prefixComputed),
    rowsUnrecorded: share(prefixComputed),
    rowsLastLayer: share(lastLayer),
    rowsLogits: share(logits),
  };
}

/** The same for people; nothing if no row was left out. */
export function rowLines(counts: RowCounts): string[] {
  const { rowsSkipped, rowsPadding, rowsTail, rowsPrefix, rowsUnrecorded, rowsLastLayer, rowsLogits } = rowShares(
    counts,
  ) as Record<string, number>;
  const part = (name: string, share: number): string[] => (share === 0 ? [] : [`${name} ${percent(share)}`]);
  const skipped = [
    ...part("padding", rowsPadding!),
    ...part("behind the answer", rowsTail!),
    ...part("prompt prefix", rowsPrefix!),
  ];
  const lines =
    skipped.length === 0
      ? []
      : [`Rows: ${percent(rowsSkipped!)} of the language model's were not computed: ${skipped.join(", ")}.`];
  const less = [
    ...(rowsUnrecorded! > 0
      ? [`${percent(rowsUnrecorded!)} of all rows came before the images and were not recorded`]
      : []),
    ...(rowsLastLayer! > 0 ? [`the last layer made only keys and values of ${percent(rowsLastLayer!)}`] : []),
    ...(rowsLogits! > 0 ? [`the vocabulary product left out ${percent(rowsLogits!)}`] : []),
  ];
  return less.length === 0 ? lines : [...lines, `Rows: ${less.join("; ")}.`];
}

function percent(share: number): string {
  const value = 100 * share;
  return `${value >= 10 || value === 0 ? Math.round(value) : value.toFixed(1)}%`;
}
