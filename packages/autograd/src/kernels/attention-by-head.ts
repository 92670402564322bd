import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { AttentionKernels, AttentionShape, CappedScores } from "./attention.js";
import { capScores, throughCap, throughSoftmax } from "./attention.js";
import type { Kernels } from "./kernels.js";
import { turned } from "./kernels.js";
import { picker } from "./plain2d.js";

/**
 * One key head of one sample at a time, in plain 2-D products: scores exist for one head only. Transposes are made of
 * whole small operands (q, k, upstream) and never of scores: gradients of k and v come out transposed and are turned
 * once, together.
 */
export const ATTENTION_BY_HEAD: AttentionKernels = {
  forward(kernels, shape, { q, k, v, mask }) {
    const pick = { q: picker(q), keysByDepth: picker(turned(k)), v: picker(v), mask: maskPicker(mask, shape) };
    const parts = eachHead(shape, (index) =>
      kernels.product(
        probabilities(kernels, pick.q(index), pick.keysByDepth(index), pick.mask(index), shape, false)[0],
        pick.v(index),
      ),
    );
    return tf.reshape(tf.concat(parts, 0), [shape.batch, shape.kvHeads, shape.groupRows, shape.valueDepth]);
  },
  backward(kernels, shape, { q, k, v, mask }, upstream, [wantQ, wantK, wantV]) {
    const { batch, kvHeads, keys, depth, valueDepth, groupRows } = shape;
    const throughScores = v !== null && (wantQ || wantK);
    const pick = {
      q: picker(q),
      keysByDepth: picker(turned(k)),
      mask: maskPicker(mask, shape),
      upstream: picker(upstream),
      k: picker(k),
    };
    const pickValuesByDepth = throughScores ? picker(turned(v)) : null;
    const pickQueriesByDepth = throughScores && wantK ? picker(turned(q)) : null;
    const pickUpstreamByDepth = wantV ? picker(turned(upstream)) : null;
    const parts: { q: Tensor[]; k: Tensor[]; v: Tensor[] } = { q: [], k: [], v: [] };
    for (let index = 0; index < batch * kvHeads; index += 1) {
      tf.tidy(() => {
        const [weights, slope] = probabilities(
          kernels,
          pick.q(index),
          pick.keysByDepth(index),
          pick.mask(index),
          shape,
          throughScores,
        );
        if (pickUpstreamByDepth !== null) parts.v.push(tf.keep(kernels.product(pickUpstreamByDepth(index), weights)));
        if (pickValuesByDepth === null) return;
        const through = kernels.product(pick.upstream(index), pickValuesByDepth(index));
        const scores = throughCap(throughSoftmax(weights, through), slope);
        if (wantQ) parts.q.push(tf.keep(kernels.product(scores, pick.k(index))));
        if (pickQueriesByDepth !== null) parts.k.push(tf.keep(kernels.product(pickQueriesByDepth(index), scores)));
      });
    }
    const joined = (pieces: Tensor[], rows: number, columns: number): Tensor => {
      const whole = tf.reshape(tf.concat(pieces, 0), [batch, kvHeads, rows, columns]);
      for (const piece of pieces) piece.dispose();
      return whole;
    };
    return [
      throughScores && wantQ ? joined(parts.q, groupRows, depth) : null,
      throughScores && wantK ? turned(joined(parts.k, depth, keys)) : null,
      wantV ? turned(joined(parts.v, valueDepth, keys)) : null,
    ];
  },
};

function eachHead(shape: AttentionShape, run: (index: number) => Tensor): Tensor[] {
  return Array.from({ length: shape.batch * shape.kvHeads }, (_, index) => tf.tidy(() => run(index)));
}

/** `softmax(q k^T + mask)` of one head and the slope of the cap: `[1, groupRows, keys]`. */
function probabilities(
  kernels: Kernels,
  q: Tensor,
  keysByDepth: Tensor,
  mask: Tensor | null,
  { groupRows, queries, keys, cap }: AttentionShape,
  wantsSlope: boolean,
): CappedScores {
  const [scores, ...slope] = capScores(kernels.product(q, keysByDepth), cap, wantsSlope);
  if (mask === null) return [tf.softmax(scores), ...slope];
  const masked = tf.softmax(tf.add(tf.reshape(scores, [groupRows / queries, queries, keys]), mask));
  return [tf.reshape(masked, [1, groupRows, keys]), ...slope];
}

/** The part of the mask that belongs to a key head, `[1 or group, 1 or queries, 1 or keys]`; null without a mask. */
function maskPicker(
  mask: Tensor | undefined,
  { batch, heads, kvHeads }: AttentionShape,
): (index: number) => Tensor | null {
  if (mask === undefined) return () => null;
  const [maskBatch, maskHeads, rows, columns] = [
    ...Array.from({ length: 4 - mask.shape.length }, () => 1),
    ...mask.shape,
  ] as [number, number, number, number];
  const group = maskHeads === 1 ? 1 : heads / kvHeads;
  const stacks = maskHeads === 1 ? maskBatch : maskBatch * kvHeads;
  const pick = picker(tf.reshape(mask, [stacks, group * rows, columns]));
  return (index) => {
    const sample = maskBatch === batch ? Math.floor(index / kvHeads) : 0;
    const part = pick(maskHeads === 1 ? sample : sample * kvHeads + (index % kvHeads));
    return group === 1 ? part : tf.reshape(part, [group, rows, columns]);
  };
}
