import type { Tensor } from "@tensorflow/tfjs-core";
import type { Sight } from "../ops/attention/attention-spans.js";

/** Attention of equal samples as {@link WholeAttention} computes it. */
export interface WholeAttentionShape {
  readonly samples: number;
  /** Rows of q in a sample. */
  readonly queries: number;
  /** Rows of k and v in a sample. */
  readonly keys: number;
  readonly heads: number;
  /** Heads of k and v; divides `heads`. */
  readonly keyHeads: number;
  /** Numbers of a head. */
  readonly depth: number;
  /** Factor on the scores. */
  readonly scale: number;
  /** Whether a row sees no key after itself. */
  readonly isCausal: boolean;
  /** How many rows a row sees, itself included; 0 for all. */
  readonly window: number;
}

/**
 * Attention that never writes its scores, in functions. Rows hold one head after the other: `q [samples * queries,
 * heads * depth]`, `k` and `v [samples * keys, keyHeads * depth]`, float32 that is rounded to bfloat16. Called inside a
 * `tf.tidy`.
 */
export interface WholeAttention {
  /** Whether it has been made for such shapes; a card may still refuse them where the function is compiled. */
  allows(shape: WholeAttentionShape): boolean;
  /** Output in q's shape, float32, and the logarithm of each row's normaliser, which backward needs. */
  forward(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    shape: WholeAttentionShape,
  ): { readonly output: Tensor; readonly normaliser: Tensor };
  /** Gradients of q, k and v, float32, from that of the output. */
  backward(gradient: Tensor, made: WholeAttentionMade, shape: WholeAttentionShape): readonly [Tensor, Tensor, Tensor];
}

/** What forward read and made. */
export type WholeAttentionMade = Readonly<Record<"q" | "k" | "v" | "output" | "normaliser", Tensor>>;

/** What all rows of a sample see, where a rule says it: everything, what comes before, the last rows of that. */
export function ruleOf(
  { first, end }: Sight,
  queries: number,
  keys: number,
): Pick<WholeAttentionShape, "isCausal" | "window"> | undefined {
  const seesAll = first === undefined || first.every((key) => key <= 0);
  if (seesAll && (end === undefined || end.every((key) => key >= keys))) return { isCausal: false, window: 0 };
  if (queries !== keys || end === undefined || end.some((key, row) => key !== row + 1)) return undefined;
  if (seesAll) return { isCausal: true, window: 0 };
  const window = queries - first[queries - 1]!;
  return first.every((key, row) => key === Math.max(0, row - window + 1)) ? { isCausal: true, window } : undefined;
}
