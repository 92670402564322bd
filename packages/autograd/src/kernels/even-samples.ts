import type { AttentionSpans } from "../ops/attention/attention-spans.js";

/** Added to scores that a query must not see; finite, so that a row without any visible key stays a number. */
const HIDDEN = -1e9;

/**
 * Spans as equal samples, for kernels that know only `[batch, heads, tokens, d]`: which rows go where, and what must be
 * masked.
 */
export interface EvenSamples {
  readonly samples: number;
  readonly queries: number;
  readonly keys: number;
  /**
   * Rows of q for `[samples * queries]`, shorter samples filled up with their first row; null where q's rows are that
   * already.
   */
  readonly queryRows: Int32Array | null;
  readonly keyRows: Int32Array | null;
  /** Rows of the result that are q's rows, in order; null where all are. */
  readonly resultRows: Int32Array | null;
  /** Additive, `[1 or samples, 1, queries, keys]`; null where every key is visible. */
  readonly mask: { readonly values: Float32Array; readonly shape: readonly number[] } | null;
  /** Queries to take together, with the keys that any of them sees; null where all keys are taken at once. */
  readonly blocks: readonly QueryBlock[] | null;
}

/** Of each sample, queries from `start` to `end` with keys from `firstKey` to `endKey`. */
export interface QueryBlock {
  readonly start: number;
  readonly end: number;
  readonly firstKey: number;
  readonly endKey: number;
}

/** Queries of a block. */
const BLOCK_ROWS = 64;
/** Keys of a block start and end at multiples of this, so that batches share shapes. */
const BLOCK_KEYS = 32;
/** Blocks are worth their operations where they leave at least this part of the scores out. */
const WORTH_LEAVING_OUT = 0.1;

const known = new WeakMap<AttentionSpans, { readonly keyRowCount: number; readonly even: EvenSamples }>();

/** Fills samples up to the longest. Computed once for spans, which all layers of a pass share. */
export function evenSamples(spans: AttentionSpans, keyRowCount: number): EvenSamples {
  const found = known.get(spans);
  if (found?.keyRowCount === keyRowCount) return found.even;
  const even = fillUp(spans, keyRowCount);
  known.set(spans, { keyRowCount, even });
  return even;
}

function fillUp(all: AttentionSpans, keyRowCount: number): EvenSamples {
  const spans = all.samples;
  const samples = spans.length;
  const queries = Math.max(0, ...spans.map((span) => span.queries));
  const keys = Math.max(0, ...spans.map((span) => span.keys));
  const hasEvenQueries = spans.every((span) => span.queries === queries);
  const hasEvenKeys =
    spans.every((span, index) => span.keys === keys && span.firstKey === index * keys) &&
    keyRowCount === samples * keys;
  const rows = (count: number, first: (sample: number) => number, length: (sample: number) => number): Int32Array =>
    Int32Array.from({ length: samples * count }, (_, row) => {
      const [sample, at] = [Math.floor(row / count), row % count];
      return first(sample) + (at < length(sample) ? at : 0);
    });
  return {
    samples,
    queries,
    keys,
    queryRows: hasEvenQueries
      ? null
      : rows(
          queries,
          (sample) => spans[sample]!.firstQuery,
          (sample) => spans[sample]!.queries,
        ),
    keyRows: hasEvenKeys
      ? null
      : rows(
          keys,
          (sample) => spans[sample]!.firstKey,
          (sample) => spans[sample]!.keys,
        ),
    resultRows: hasEvenQueries
      ? null
      : Int32Array.from(
          spans.flatMap((span, sample) => Array.from({ length: span.queries }, (_, at) => sample * queries + at)),
        ),
    mask: maskOf(all, queries, keys),
    blocks: all.first === undefined ? null : blocksOf(all, queries, keys),
  };
}

function maskOf(spans: AttentionSpans, queries: number, keys: number): EvenSamples["mask"] {
  const sights = spans.samples.map((span) =>
    Array.from({ length: queries }, (_, query) =>
      query >= span.queries ? ([0, keys] as const) : spans.seenBy(span.firstQuery + query, span),
    ),
  );
  if (sights.every((rows) => rows.every(([first, end]) => first === 0 && end === keys))) return null;
  const isShared = sights.every((rows) =>
    rows.every(([first, end], query) => first === sights[0]![query]![0] && end === sights[0]![query]![1]),
  );
  const kept = isShared ? sights.slice(0, 1) : sights;
  const values = new Float32Array(kept.length * queries * keys);
  kept.forEach((rows, sample) =>
    rows.forEach(([first, end], query) => {
      const row = (sample * queries + query) * keys;
      values.fill(HIDDEN, row, row + first);
      values.fill(HIDDEN, row + end, row + keys);
    }),
  );
  return { values, shape: [kept.length, 1, queries, keys] };
}

function blocksOf(spans: AttentionSpans, queries: number, keys: number): EvenSamples["blocks"] {
  const blocks = Array.from({ length: Math.ceil(queries / BLOCK_ROWS) }, (_, index): QueryBlock => {
    const [start, end] = [index * BLOCK_ROWS, Math.min(queries, (index + 1) * BLOCK_ROWS)];
    let [firstKey, endKey] = [keys, 0];
    for (const span of spans.samples)
      for (let query = start; query < Math.min(end, span.queries); query++) {
        const [first, last] = spans.seenBy(span.firstQuery + query, span);
        if (first === last) continue;
        firstKey = Math.min(firstKey, first);
        endKey = Math.max(endKey, last);
      }
    if (firstKey >= endKey) [firstKey, endKey] = [0, 1];
    return {
      start,
      end,
      firstKey: Math.floor(firstKey / BLOCK_KEYS) * BLOCK_KEYS,
      endKey: Math.min(keys, Math.ceil(endKey / BLOCK_KEYS) * BLOCK_KEYS),
    };
  });
  const made = blocks.reduce((sum, { start, end, firstKey, endKey }) => sum + (end - start) * (endKey - firstKey), 0);
  return made > (1 - WORTH_LEAVING_OUT) * queries * keys ? null : blocks;
}
