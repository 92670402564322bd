import type { Batch, BatchSource } from "@thaw/contracts";
import type { Ensemble } from "./ensemble.js";

/** A micro-batch without samples: what a rank has where the epoch's last ones do not suffice for all. */
export const EMPTY_BATCH: Batch = Object.freeze({
  tokenIds: new Int32Array(0),
  attentionMask: new Int32Array(0),
  labels: new Int32Array(0),
  batchSize: 0,
  tokenCount: 0,
  media: [],
  segmentOutputs: {},
  samples: [],
});

/**
 * A rank's micro-batches of an epoch: of those that one process would see, in its order, every `size`-th. All ranks get
 * equally many; one that is missing at the end is empty. `skip` counts rounds of all ranks.
 */
export function rankBatches(
  source: BatchSource,
  options: Omit<Parameters<BatchSource["batches"]>[0], "shard">,
  { rank, size }: Pick<Ensemble, "rank" | "size">,
): AsyncIterable<Batch> {
  if (size === 1) return source.batches(options);
  if (source.shards === true) return source.batches({ ...options, shard: { index: rank, count: size } });
  return everyNth(source.batches({ ...options, skip: (options.skip ?? 0) * size }), rank, size);
}

/** For a source that knows no ranks: what others get is made, and thrown away before its items are loaded. */
async function* everyNth(batches: AsyncIterable<Batch>, rank: number, size: number): AsyncGenerator<Batch> {
  let seen = 0;
  for await (const batch of batches) {
    if (seen % size === rank) yield batch;
    seen += 1;
  }
  if (seen % size !== 0 && seen % size <= rank) yield EMPTY_BATCH;
}
