import { badArgument } from "../../errors.js";

/** Rows of one sample: `queries` rows of q from `firstQuery`, `keys` rows of k and v from `firstKey`. */
export interface SampleSpan {
  readonly firstQuery: number;
  readonly queries: number;
  readonly firstKey: number;
  readonly keys: number;
}

/** Rows `first` to `end - 1`. */
export interface RowRange {
  readonly first: number;
  readonly end: number;
}

/** Keys that each row of q sees, `first[row] <= key < end[row]`, counted from its sample's first key. */
export interface Sight {
  /** `[queries]`. Absent: from the sample's first key. */
  readonly first?: Int32Array;
  /** `[queries]`. Absent: to the sample's last key. */
  readonly end?: Int32Array;
}

/** Options of {@link AttentionSpans.causal}. */
export interface CausalOptions {
  /** How many rows a row sees, itself included. Default: all before it. */
  readonly window?: number;
}

let nextId = 0;

/**
 * Who attends to whom, for {@link multiHeadAttention}: samples are stretches of rows, of any lengths, so that a batch
 * needs no padding, and each query sees one stretch of its sample's keys. Query stretches follow one another and cover
 * all rows of q; key stretches may lie anywhere, but overlap only where no gradient of keys is wanted.
 */
export class AttentionSpans implements Sight {
  /** Tells spans apart where tensors made from them are kept. */
  readonly id = nextId++;
  /** Equal for equal spans, where it is known. */
  readonly key?: string;
  readonly samples: readonly SampleSpan[];
  readonly first?: Int32Array;
  readonly end?: Int32Array;

  constructor(samples: readonly SampleSpan[], { first, end }: Sight = {}, key?: string) {
    this.samples = samples;
    if (first !== undefined) this.first = first;
    if (end !== undefined) this.end = end;
    if (key !== undefined) this.key = key;
  }

  /**
   * `samples` samples of `tokens` rows each, every row seeing its whole sample or, if `isCausal`, what is not after
   * itself.
   */
  static even(samples: number, tokens: number, isCausal: boolean): AttentionSpans {
    const spans = AttentionSpans.within(
      Int32Array.from({ length: samples + 1 }, (_, sample) => sample * tokens),
      isCausal,
    );
    return new AttentionSpans(
      spans.samples,
      spans,
      `${samples} samples of ${tokens} rows${isCausal ? ", causal" : ""}`,
    );
  }

  /** Samples whose rows start at `offsets[s]` and end before `offsets[s + 1]`, the same rows for queries and keys. */
  static within(offsets: Int32Array, isCausal: boolean): AttentionSpans {
    const samples = Array.from({ length: offsets.length - 1 }, (_, sample): SampleSpan => {
      const [first, end] = [offsets[sample] as number, offsets[sample + 1] as number];
      return { firstQuery: first, queries: end - first, firstKey: first, keys: end - first };
    });
    if (!isCausal) return new AttentionSpans(samples);
    const end = new Int32Array(offsets.at(-1) as number);
    for (const { firstQuery, queries } of samples)
      for (let row = 0; row < queries; row++) end[firstQuery + row] = row + 1;
    return new AttentionSpans(samples, { end });
  }

  /**
   * Samples as {@link within}, each row seeing itself and what comes before it, or of that the last `window` rows.
   * @throws THAW_AUTOGRAD_SHAPE
   */
  static causal(offsets: Int32Array, { window }: CausalOptions = {}): AttentionSpans {
    const spans = AttentionSpans.within(offsets, true);
    return window === undefined ? spans : spans.windowed(window);
  }

  /**
   * The same, but a row sees no key that is `window` or more rows before itself; what it sees after itself stays. These
   * spans themselves if that hides nothing. The queries of a sample must be the last of its keys, in order.
   * @throws THAW_AUTOGRAD_SHAPE
   */
  windowed(window: number): AttentionSpans {
    if (!Number.isInteger(window) || window < 1)
      throw badArgument("AttentionSpans", `The window is ${window}.`, "Give a whole number of rows, 1 or more.");
    const first = this.first?.slice() ?? new Int32Array(this.queryCount);
    let isNarrower = false;
    for (const { firstQuery, queries, keys } of this.samples)
      for (let row = 0; row < queries; row++) {
        const nearest = keys - queries + row - window + 1;
        if (nearest <= first[firstQuery + row]!) continue;
        first[firstQuery + row] = nearest;
        isNarrower = true;
      }
    if (!isNarrower) return this;
    const key = this.key === undefined ? undefined : `${this.key}, window ${window}`;
    return new AttentionSpans(this.samples, { first, ...(this.end && { end: this.end }) }, key);
  }

  /**
   * The same, but the rows of each range (rows of q, of one sample, such as an image or a prefix) also see one another,
   * both ways. Every row must see itself already, so that it goes on seeing one stretch of keys. The queries of a
   * sample must be the last of its keys, in order. `seeing(...).windowed(...)` cuts the ranges by the window as well;
   * `windowed(...).seeing(...)` leaves them whole.
   * @throws THAW_AUTOGRAD_SHAPE
   */
  seeing(ranges: readonly RowRange[]): AttentionSpans {
    if (ranges.length === 0) return this;
    const { first, end } = { first: this.first?.slice(), end: this.end?.slice() };
    for (const range of ranges) {
      const sample = this.samples.find(
        ({ firstQuery, queries }) => range.first >= firstQuery && range.end <= firstQuery + queries,
      );
      if (sample === undefined || range.first > range.end)
        throw badArgument(
          "AttentionSpans",
          `Rows ${range.first} to ${range.end} lie in no sample.`,
          "Give ranges of rows of q, each inside one sample.",
        );
      const toKey = sample.keys - sample.queries - sample.firstQuery;
      for (let row = range.first; row < range.end; row++) {
        if (first !== undefined) first[row] = Math.min(first[row]!, range.first + toKey);
        if (end !== undefined) end[row] = Math.max(end[row]!, range.end + toKey);
      }
    }
    return new AttentionSpans(this.samples, { ...(first && { first }), ...(end && { end }) });
  }

  /**
   * Some of the queries alone, rows of q in ascending order, over the same keys. Windows and ranges come before this.
   */
  choosing(rows: Int32Array): AttentionSpans {
    let firstQuery = 0;
    const samples = this.samples.flatMap((sample) => {
      let next = firstQuery;
      while (next < rows.length && rows[next]! < sample.firstQuery + sample.queries) next += 1;
      const span = { ...sample, firstQuery, queries: next - firstQuery };
      firstQuery = next;
      return span.queries === 0 ? [] : [span];
    });
    const { first, end } = this;
    return new AttentionSpans(samples, {
      ...(first && { first: rows.map((row) => first[row]!) }),
      ...(end && { end: rows.map((row) => end[row]!) }),
    });
  }

  get queryCount(): number {
    return this.samples.reduce((sum, { queries }) => sum + queries, 0);
  }

  /** Keys that a row of q sees, cut to the sample's: `[first, end]`, equal where it sees none. */
  seenBy(row: number, { keys }: SampleSpan): readonly [number, number] {
    const end = Math.max(0, Math.min(keys, this.end?.[row] ?? keys));
    return [Math.max(0, Math.min(end, this.first?.[row] ?? 0)), end];
  }

  /** `[samples, 4]`: first and last + 1 row of queries, the same of keys. */
  table(): Int32Array {
    return Int32Array.from(
      this.samples.flatMap(({ firstQuery, queries, firstKey, keys }) => [
        firstQuery,
        firstQuery + queries,
        firstKey,
        firstKey + keys,
      ]),
    );
  }
}
