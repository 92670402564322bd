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
}

const known = new WeakMap<AttentionSpans, { readonly keyRowCount: number; readonly even: EvenSamples }>();

/** Fills samples up to the longest. Computed once for spans, which all layers of a pass share. */
export function evenSamples(spans: AttentionSpans, keyRowCount: number): EvenSamples {
  const found = known.get(spans);
  if (found?.keyRowCount === keyRowCount) return found.even;
  const even = fillUp(spans, keyRowCount);
  known.set(spans, { keyRowCount, even });
  return even;
}

function fillUp({ samples: spans, visible }: AttentionSpans, keyRowCount: number): EvenSamples {
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
    mask: maskOf(spans, visible, queries, keys),
  };
}

function maskOf(
  spans: AttentionSpans["samples"],
  visible: Int32Array | undefined,
  queries: number,
  keys: number,
): EvenSamples["mask"] {
  const seen = (sample: number, query: number): number => {
    const span = spans[sample]!;
    return query >= span.queries ? keys : Math.min(span.keys, visible?.[span.firstQuery + query] ?? span.keys);
  };
  const counts = spans.map((_, sample) => Array.from({ length: queries }, (_unused, query) => seen(sample, query)));
  if (counts.every((row) => row.every((count) => count === keys))) return null;
  const isShared = counts.every((row) => row.every((count, query) => count === counts[0]![query]));
  const kept = isShared ? counts.slice(0, 1) : counts;
  const values = new Float32Array(kept.length * queries * keys);
  kept.forEach((row, sample) =>
    row.forEach((count, query) =>
      values.fill(HIDDEN, (sample * queries + query) * keys + count, (sample * queries + query + 1) * keys),
    ),
  );
  return { values, shape: [kept.length, 1, queries, keys] };
}
