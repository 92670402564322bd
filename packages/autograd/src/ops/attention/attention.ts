import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { badArgument } from "../../errors.js";
import { ATTENTION_AT_ONCE } from "../../kernels/attention-at-once.js";
import { ATTENTION_BY_HEAD } from "../../kernels/attention-by-head.js";
import type { AttentionShape } from "../../kernels/attention.js";
import { throughSoftmax } from "../../kernels/attention.js";
import { inShape } from "../../kernels/broadcast.js";
import type { QueryBlock } from "../../kernels/even-samples.js";
import { inBlocks } from "../../kernels/attention-in-blocks.js";
import { operate } from "../../engine/operation.js";
import type { Value } from "../../engine/value.js";

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

/** Options of {@link attention}. */
export interface AttentionOptions {
  /** Factor on the scores, usually `headSize ** -0.5`. */
  readonly scale: number;
  /** Scores become `cap * tanh(scores / cap)` before the mask is added (Gemma2). Absent: they stay. */
  readonly cap?: number;
  /** Added to the scores; broadcastable to `[batch, heads, queries, keys]`. Borrowed, must live until backward. */
  readonly mask?: Tensor;
  /**
   * Queries to take together, in order and all of them, with the keys that any of them sees; scores of other keys are
   * not made. Absent: all at once. The mask has all queries and keys then.
   */
  readonly blocks?: readonly QueryBlock[];
}

/**
 * Scaled dot-product attention (Vaswani et al. 2017, arXiv 1706.03762), with grouped heads (Ainslie et al. 2023, arXiv
 * 2305.13245): `q [batch, heads, queries, d]`, `k` and `v [batch, kvHeads, keys, d]` to `[batch, heads, queries, d]`.
 * Saves scaled q, k and v; probabilities are made again in backward.
 * @throws THAW_AUTOGRAD_SHAPE
 */
export function attention(q: Value, k: Value, v: Value, options: AttentionOptions): Value {
  const [batch, heads, queries, depth] = q.shape as [number, number, number, number];
  const [, kvHeads, keys] = k.shape as [number, number, number, number];
  if (
    q.shape.length !== 4 ||
    k.shape.length !== 4 ||
    heads % kvHeads !== 0 ||
    k.shape[3] !== depth ||
    v.shape[2] !== keys
  ) {
    throw badArgument(
      "attention",
      `q, k and v have shapes [${q.shape.join(", ")}], [${k.shape.join(", ")}], [${v.shape.join(", ")}].`,
      "Use [batch, heads, tokens, d], heads a multiple of the key heads.",
    );
  }
  const shape: AttentionShape = {
    batch,
    heads,
    kvHeads,
    queries,
    keys,
    depth,
    valueDepth: v.shape[3] as number,
    groupRows: (heads / kvHeads) * queries,
    ...(options.cap !== undefined && { cap: options.cap }),
  };
  return operate("attention", [q, k, v], (record, tape) => {
    const { blocks } = options;
    const seen = blocks?.reduce((most, { firstKey, endKey }) => Math.max(most, endKey - firstKey), 0) ?? keys;
    const rows = blocks?.reduce((most, { start, end }) => Math.max(most, end - start), 0) ?? queries;
    const oneBlock = tape.kernels.loopsOverHeads(
      (heads / kvHeads) * rows * seen * depth,
      4 * batch * heads * rows * seen,
    )
      ? ATTENTION_BY_HEAD
      : ATTENTION_AT_ONCE;
    const kernels = blocks === undefined ? oneBlock : inBlocks(oneBlock, blocks);
    const scaledQ = inShape(tf.mul(q.tensor, tape.scalar(options.scale)), [batch, kvHeads, shape.groupRows, depth]);
    if (record !== null) {
      const savedQ = record.keep(scaledQ);
      const savedK = record.save(k);
      const savedV = record.needs[0] || record.needs[1] ? record.save(v) : null;
      record.backward = (gradient, [wantQ = false, wantK = false, wantV = false]) => {
        const upstream = inShape(gradient, [batch, kvHeads, shape.groupRows, shape.valueDepth]);
        const inputs = { q: savedQ(), k: savedK(), v: savedV === null ? null : savedV(), mask: options.mask };
        const [gradientQ, gradientK, gradientV] = kernels.backward(tape.kernels, shape, inputs, upstream, [
          wantQ,
          wantK,
          wantV,
        ]);
        return [
          gradientQ === null ? null : tf.mul(inShape(gradientQ, q.shape), tape.scalar(options.scale)),
          gradientK,
          gradientV,
        ];
      };
    }
    const mixed = kernels.forward(tape.kernels, shape, { q: scaledQ, k: k.tensor, v: v.tensor, mask: options.mask });
    return inShape(mixed, [batch, heads, queries, shape.valueDepth]);
  });
}
