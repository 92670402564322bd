import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Kernels } from "./kernels.js";

/**
 * Sizes of an attention and the cap on its scores. Query heads that share a key head are folded into its rows:
 * `groupRows = heads / kvHeads * queries`.
 */
export interface AttentionShape {
  readonly batch: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly queries: number;
  readonly keys: number;
  readonly depth: number;
  readonly valueDepth: number;
  readonly groupRows: number;
  /** Scores become `cap * tanh(scores / cap)` before the mask is added. Absent: they stay. */
  readonly cap?: number;
}

/**
 * `q [batch, kvHeads, groupRows, depth]` scaled; `k`, `v [batch, kvHeads, keys, depth]`; `mask` as the op got it. `v`
 * may be null where backward needs it not.
 */
export interface AttentionInputs<V = Tensor> {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: V;
  readonly mask: Tensor | undefined;
}

/** One way to compute attention and its gradients. */
export interface AttentionKernels {
  /** `[batch, kvHeads, groupRows, valueDepth]`. */
  forward(kernels: Kernels, shape: AttentionShape, inputs: AttentionInputs): Tensor;
  /** Gradients of q, k and v from that of the output; null where not wanted. Probabilities are made again. */
  backward(
    kernels: Kernels,
    shape: AttentionShape,
    inputs: AttentionInputs<Tensor | null>,
    upstream: Tensor,
    wants: readonly [boolean, boolean, boolean],
  ): [Tensor | null, Tensor | null, Tensor | null];
}

/** Scores and, where they are capped and it is wanted, what each one's gradient is multiplied with on the way back. */
export type CappedScores = readonly [scores: Tensor, slope?: Tensor];

/** `cap * tanh(scores / cap)`, or the scores themselves without a cap. Called in a tidy. */
export function capScores(scores: Tensor, cap: number | undefined, wantsSlope: boolean): CappedScores {
  if (cap === undefined) return [scores];
  const bent = tf.tanh(tf.div(scores, cap));
  const capped = tf.mul(bent, cap);
  return wantsSlope ? [capped, tf.sub(1, tf.square(bent))] : [capped];
}

/** Gradient of scores before they were capped, from that after. */
export function throughCap(gradient: Tensor, slope: Tensor | undefined): Tensor {
  return slope === undefined ? gradient : tf.mul(gradient, slope);
}

/** Gradient of a softmax' input from its output and the output's gradient. */
export function throughSoftmax(probabilities: Tensor, gradient: Tensor): Tensor {
  return tf.mul(probabilities, tf.sub(gradient, tf.sum(tf.mul(gradient, probabilities), -1, true)));
}
