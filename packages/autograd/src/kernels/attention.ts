import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Kernels } from "./kernels.js";

/**
 * Sizes of an attention. Query heads that share a key head are folded into its rows: `groupRows = heads / kvHeads *
 * queries`.
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

/** Gradient of a softmax' input from its output and the output's gradient. */
export function throughSoftmax(probabilities: Tensor, gradient: Tensor): Tensor {
  return tf.mul(probabilities, tf.sub(gradient, tf.sum(tf.mul(gradient, probabilities), -1, true)));
}
