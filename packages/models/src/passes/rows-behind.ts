import type { SampleSpan } from "@thaw/autograd";
import { rowOffsets } from "@thaw/contracts";

/** New rows behind rows that are there already, sample by sample. */
export interface RowsBehind {
  /** The new rows of each sample as queries, all its rows as keys. */
  readonly samples: readonly SampleSpan[];
  /** Each new row sees its sample's rows up to itself: `end` of `AttentionSpans`. */
  readonly end: Int32Array;
  /** Sample `s` has the rows `offsets[s]` to `offsets[s + 1]` among all keys. */
  readonly offsets: Int32Array;
}

/** `queries[s]` new rows behind `before[s]` rows of sample `s`. */
export function rowsBehind(before: readonly number[], queries: readonly number[]): RowsBehind {
  const firsts = rowOffsets(queries);
  const offsets = rowOffsets(queries.map((count, sample) => before[sample]! + count));
  const samples = queries.map((count, sample): SampleSpan => ({
    firstQuery: firsts[sample]!,
    queries: count,
    firstKey: offsets[sample]!,
    keys: before[sample]! + count,
  }));
  const end = queries.flatMap((count, sample) => Array.from({ length: count }, (_, at) => before[sample]! + at + 1));
  return { samples, end: Int32Array.from(end), offsets };
}
