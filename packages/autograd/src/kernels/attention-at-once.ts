import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { AttentionInputs, AttentionKernels, AttentionShape, CappedScores } from "./attention.js";
import { capScores, throughCap, throughSoftmax } from "./attention.js";
import { inShape } from "./broadcast.js";
import type { Kernels } from "./kernels.js";

/** All heads in batched products: few ops, one tensor of all scores. */
export const ATTENTION_AT_ONCE: AttentionKernels = {
  forward: (kernels, shape, inputs) => kernels.product(probabilities(kernels, shape, inputs, false)[0], inputs.v),
  backward(kernels, shape, inputs, upstream, [wantQ, wantK, wantV]) {
    const [weights, slope] = probabilities(kernels, shape, inputs, wantQ || wantK);
    const gradientV = wantV ? kernels.product(weights, upstream, true, false) : null;
    if (inputs.v === null || !(wantQ || wantK)) return [null, null, gradientV];
    const values = inputs.v;
    const scores = tf.tidy(() =>
      throughCap(throughSoftmax(weights, kernels.product(upstream, values, false, true)), slope),
    );
    tf.dispose(slope === undefined ? [weights] : [weights, slope]);
    return [
      wantQ ? kernels.product(scores, inputs.k) : null,
      wantK ? kernels.product(scores, inputs.q, true, false) : null,
      gradientV,
    ];
  },
};

/** `softmax(q k^T + mask)` and the slope of the cap: `[batch, kvHeads, groupRows, keys]`. */
function probabilities(
  kernels: Kernels,
  { batch, heads, kvHeads, queries, keys, groupRows, cap }: AttentionShape,
  { q, k, mask }: AttentionInputs<Tensor | null>,
  wantsSlope: boolean,
): CappedScores {
  return tf.tidy((): [Tensor, Tensor?] => {
    const [scores, ...slope] = capScores(kernels.product(q, k, false, true), cap, wantsSlope);
    if (mask === undefined) return [tf.softmax(scores), ...slope];
    const masked = tf.add(inShape(scores, [batch, heads, queries, keys]), mask);
    return [inShape(tf.softmax(masked), [batch, kvHeads, groupRows, keys]), ...slope];
  });
}
