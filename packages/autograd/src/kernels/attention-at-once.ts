import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { AttentionInputs, AttentionKernels, AttentionShape } from "./attention.js";
import { throughSoftmax } from "./attention.js";
import { inShape } from "./broadcast.js";
import type { Kernels } from "./kernels.js";

/** All heads in batched products: few ops, one tensor of all scores. */
export const ATTENTION_AT_ONCE: AttentionKernels = {
  forward: (kernels, shape, inputs) => kernels.product(probabilities(kernels, shape, inputs), inputs.v),
  backward(kernels, shape, inputs, upstream, [wantQ, wantK, wantV]) {
    const weights = probabilities(kernels, shape, inputs);
    const gradientV = wantV ? kernels.product(weights, upstream, true, false) : null;
    if (inputs.v === null || !(wantQ || wantK)) return [null, null, gradientV];
    const values = inputs.v;
    const scores = tf.tidy(() => throughSoftmax(weights, kernels.product(upstream, values, false, true)));
    weights.dispose();
    return [
      wantQ ? kernels.product(scores, inputs.k) : null,
      wantK ? kernels.product(scores, inputs.q, true, false) : null,
      gradientV,
    ];
  },
};

/** `softmax(q k^T + mask)`: `[batch, kvHeads, groupRows, keys]`. */
function probabilities(
  kernels: Kernels,
  { batch, heads, kvHeads, queries, keys, groupRows }: AttentionShape,
  { q, k, mask }: AttentionInputs<Tensor | null>,
): Tensor {
  return tf.tidy(() => {
    const scores = kernels.product(q, k, false, true);
    if (mask === undefined) return tf.softmax(scores);
    const masked = tf.add(inShape(scores, [batch, heads, queries, keys]), mask);
    return inShape(tf.softmax(masked), [batch, kvHeads, groupRows, keys]);
  });
}
