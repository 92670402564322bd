import { type Batch, IGNORE_INDEX, type MediaItem, type Sample } from "@thaw/contracts";
import type { PendingItem } from "../workers/media-loader.js";

/** One row of a batch before padding. */
export interface Row {
  readonly sample: Sample;
  readonly tokenIds: readonly number[];
  readonly labels: readonly number[];
  readonly media: readonly PendingItem[];
  /** Of each item, where its placeholders are among the tokens. */
  readonly columns: readonly Int32Array[];
}

/** Rows to a batch, padded on the right to the longest. */
export function collate(rows: readonly Row[], padTokenId: number): Batch {
  const tokenCount = Math.max(0, ...rows.map(({ tokenIds }) => tokenIds.length));
  const size = rows.length * tokenCount;
  const tokenIds = new Int32Array(size).fill(padTokenId);
  const labels = new Int32Array(size).fill(IGNORE_INDEX);
  const attentionMask = new Int32Array(size);
  const media: MediaItem[] = [];
  rows.forEach((row, index) => {
    const start = index * tokenCount;
    tokenIds.set(row.tokenIds, start);
    labels.set(row.labels, start);
    attentionMask.fill(1, start, start + row.tokenIds.length);
    row.media.forEach(({ item }, at) => media.push({ ...item, sample: index, columns: row.columns[at] as Int32Array }));
  });
  return {
    tokenIds,
    attentionMask,
    labels,
    batchSize: rows.length,
    tokenCount,
    media,
    segmentOutputs: {},
    samples: rows.map(({ sample }) => ({ id: sample.id, reference: sample.reference })),
  };
}
