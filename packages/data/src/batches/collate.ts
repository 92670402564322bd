import { type Batch, IGNORE_INDEX, type LazyItem } from "@thaw/contracts";
import type { PendingImage } from "../workers/image-loader.js";
import type { Sample } from "../samples/sample.js";

/** One row of a batch before padding. */
export interface Row {
  readonly sample: Sample;
  readonly tokenIds: readonly number[];
  readonly labels: readonly number[];
  readonly images: readonly PendingImage[];
}

/** Rows to a batch, padded on the right to the longest. Inputs of which the batch has no item are absent. */
export function collate(rows: readonly Row[], padTokenId: number): Batch {
  const tokenCount = Math.max(0, ...rows.map(({ tokenIds }) => tokenIds.length));
  const size = rows.length * tokenCount;
  const tokenIds = new Int32Array(size).fill(padTokenId);
  const labels = new Int32Array(size).fill(IGNORE_INDEX);
  const attentionMask = new Int32Array(size);
  const inputs: Record<string, LazyItem[]> = {};
  rows.forEach((row, index) => {
    const start = index * tokenCount;
    tokenIds.set(row.tokenIds, start);
    labels.set(row.labels, start);
    attentionMask.fill(1, start, start + row.tokenIds.length);
    for (const { items, plan } of row.images)
      items.forEach((item, at) => (inputs[(plan.items[at] as { readonly input: string }).input] ??= []).push(item));
  });
  return {
    tokenIds,
    attentionMask,
    labels,
    batchSize: rows.length,
    tokenCount,
    inputs,
    segmentOutputs: {},
    samples: rows.map(({ sample }) => ({ id: sample.id, reference: sample.reference })),
  };
}
