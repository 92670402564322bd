import type { MediaItem } from "./batch.js";
import type { Segment } from "./model.js";

/** The items that a segment reads, in order: those of its modality that have all inputs it asks for. */
export function itemsOf(
  segment: Pick<Segment, "reads" | "modality">,
  media: readonly MediaItem[],
): readonly MediaItem[] {
  const { reads, modality } = segment;
  if (reads.length === 0) return [];
  return media.filter(
    (item) =>
      (modality === undefined || item.modality === modality) &&
      reads.every((input) => item.inputs[input] !== undefined),
  );
}

/** Where each item's rows begin in a segment's output, and where the last one's end: `items.length + 1` offsets. */
export function outputOffsets(segment: Pick<Segment, "reads" | "outputRows">, items: readonly MediaItem[]): Int32Array {
  return rowOffsets(items.map((item) => segment.outputRows?.(item) ?? item.inputs[segment.reads[0]!]?.rows ?? 0));
}

/** Offsets of stretches of so many rows, one after the other. */
export function rowOffsets(counts: readonly number[]): Int32Array {
  const offsets = new Int32Array(counts.length + 1);
  counts.forEach((count, index) => {
    offsets[index + 1] = offsets[index]! + count;
  });
  return offsets;
}

/** Rows of the flattened `[batch * tokens]` that hold the items' placeholders, item by item. */
export function placeholderRows(items: readonly MediaItem[], tokenCount: number): Int32Array {
  const rows = new Int32Array(items.reduce((sum, { columns }) => sum + columns.length, 0));
  let count = 0;
  for (const { sample, columns } of items) for (const column of columns) rows[count++] = sample * tokenCount + column;
  return rows;
}
