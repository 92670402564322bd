import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { badArgument } from "../errors.js";
import { product } from "../kernels/product.js";
import { operate } from "../operation.js";
import type { Value } from "../value.js";

/** `e^x / sum(e^x)` over the last axis. Saves its output. */
export function softmax(x: Value): Value {
  return operate("softmax", [x], (record) => {
    if (record !== null) {
      const output = record.saveOutput();
      record.backward = (gradient) => [throughSoftmax(output(), gradient)];
    }
    return tf.softmax(x.tensor);
  });
}

function throughSoftmax(probabilities: Tensor, gradient: Tensor): Tensor {
  return tf.mul(probabilities, tf.sub(gradient, tf.sum(tf.mul(gradient, probabilities), -1, true)));
}

/** Options of {@link attention}. */
export interface AttentionOptions {
  /** Factor on the scores, usually `headSize ** -0.5`. */
  readonly scale: number;
  /** Added to the scores; broadcastable to `[batch, heads, queries, keys]`. Borrowed, must live until backward. */
  readonly mask?: Tensor;
}

/**
 * Scaled dot-product attention (Vaswani et al. 2017, arXiv 1706.03762), with grouped heads (Ainslie et al. 2023, arXiv 2305.13245): `q [batch, heads, queries, d]`,
 * `k` and `v [batch, kvHeads, keys, d]` to `[batch, heads, queries, d]`. Saves q, k and v; probabilities are made again in backward.
 * @throws THAW_AUTOGRAD_SHAPE
 */
export function attention(q: Value, k: Value, v: Value, options: AttentionOptions): Value {
  const [batch, heads, queries, depth] = q.shape as [number, number, number, number];
  const [, kvHeads, keys] = k.shape as [number, number, number, number];
  if (q.shape.length !== 4 || k.shape.length !== 4 || heads % kvHeads !== 0 || k.shape[3] !== depth || v.shape[2] !== keys) {
    throw badArgument("attention", `q, k and v have shapes [${q.shape.join(", ")}], [${k.shape.join(", ")}], [${v.shape.join(", ")}].`, "Use [batch, heads, tokens, d], heads a multiple of the key heads.");
  }
  const grouped = [batch, kvHeads, (heads / kvHeads) * queries];
  const regroup = (x: Tensor, shape: number[]): Tensor => (heads === kvHeads ? x : tf.reshape(x, shape));
  return operate("attention", [q, k, v], (record, tape) => {
    const probabilities = (scaledQ: Tensor, keyTensor: Tensor): Tensor => {
      const scores = regroup(product(tape, scaledQ, keyTensor, false, true), [batch, heads, queries, keys]);
      return regroup(tf.softmax(options.mask === undefined ? scores : tf.add(scores, options.mask)), [...grouped, keys]);
    };
    const scaledQ = regroup(tf.mul(q.tensor, tape.scalar(options.scale)), [...grouped, depth]);
    if (record !== null) {
      const savedQ = record.keep(scaledQ);
      const savedK = record.save(k);
      const savedV = record.needs[0] || record.needs[1] ? record.save(v) : null;
      record.backward = (gradient, [wantQ, wantK, wantV]) => {
        const upstream = regroup(gradient, [...grouped, v.shape[3] as number]);
        const weights = probabilities(savedQ(), savedK());
        const gradientV = wantV ? product(tape, weights, upstream, true, false) : null;
        if (savedV === null || !(wantQ || wantK)) return [null, null, gradientV];
        const gradientScores = throughSoftmax(weights, product(tape, upstream, savedV(), false, true));
        const gradientQ = wantQ ? regroup(tf.mul(product(tape, gradientScores, savedK()), tape.scalar(options.scale)), [...q.shape]) : null;
        return [gradientQ, wantK ? product(tape, gradientScores, savedQ(), true, false) : null, gradientV];
      };
    }
    const mixed = product(tape, probabilities(scaledQ, k.tensor), v.tensor);
    return regroup(mixed, [batch, heads, queries, v.shape[3] as number]);
  });
}
