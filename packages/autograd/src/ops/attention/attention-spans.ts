/** Rows of one sample: `queries` rows of q from `firstQuery`, `keys` rows of k and v from `firstKey`. */
export interface SampleSpan {
  readonly firstQuery: number;
  readonly queries: number;
  readonly firstKey: number;
  readonly keys: number;
}

let nextId = 0;

/**
 * Who attends to whom, for {@link multiHeadAttention}: samples are stretches of rows, of any lengths, so that a batch
 * needs no padding. Query stretches follow one another and cover all rows of q; key stretches may lie anywhere, but
 * overlap only where no gradient of keys is wanted.
 */
export class AttentionSpans {
  /** Tells spans apart where tensors made from them are kept. */
  readonly id = nextId++;
  /** Equal for equal spans, where it is known. */
  readonly key?: string;
  readonly samples: readonly SampleSpan[];
  /** For each row of q, how many of its sample's keys it sees, counted from the first. Absent: all. */
  readonly visible?: Int32Array;

  constructor(samples: readonly SampleSpan[], visible?: Int32Array, key?: string) {
    this.samples = samples;
    if (visible !== undefined) this.visible = visible;
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
      spans.visible,
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
    const visible = new Int32Array(offsets.at(-1) as number);
    for (const { firstQuery, queries } of samples)
      for (let row = 0; row < queries; row++) visible[firstQuery + row] = row + 1;
    return new AttentionSpans(samples, visible);
  }

  get queryCount(): number {
    return this.samples.reduce((sum, { queries }) => sum + queries, 0);
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
