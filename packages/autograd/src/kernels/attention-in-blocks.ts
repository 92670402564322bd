import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { AttentionKernels, AttentionShape } from "./attention.js";
import type { QueryBlock } from "./even-samples.js";

/**
 * The given way for one block of queries after the other, each with the keys from the first to the last that any of
 * them sees: of a window, scores outside exist neither forward nor backward.
 */
export function inBlocks(one: AttentionKernels, blocks: readonly QueryBlock[]): AttentionKernels {
  return {
    forward(kernels, shape, { q, k, v, mask }) {
      const parts = blocks.map((block) =>
        tf.tidy(() =>
          byHead(
            one.forward(kernels, shapeOf(shape, block), {
              q: queriesOf(q, shape, block),
              k: keysOf(k, block),
              v: keysOf(v, block),
              mask: maskOf(mask, block),
            }),
            shape,
            block,
          ),
        ),
      );
      return joined(parts, shape);
    },
    backward(kernels, shape, { q, k, v, mask }, upstream, wants) {
      const made = blocks.map((block) =>
        tf.tidy(() => {
          const [gradientQ, gradientK, gradientV] = one.backward(
            kernels,
            shapeOf(shape, block),
            {
              q: queriesOf(q, shape, block),
              k: keysOf(k, block),
              v: v === null ? null : keysOf(v, block),
              mask: maskOf(mask, block),
            },
            queriesOf(upstream, shape, block),
            wants,
          );
          return [
            gradientQ === null ? [] : [byHead(gradientQ, shape, block)],
            gradientK === null ? [] : [gradientK],
            gradientV === null ? [] : [gradientV],
          ] as [Tensor[], Tensor[], Tensor[]];
        }),
      );
      const sum = (parts: readonly Tensor[]): Tensor | null =>
        parts.length === 0
          ? null
          : parts
              .map((part, index) => padded(part, shape, blocks[index]!))
              .reduce((total, part) => tf.tidy(() => tf.add(total, part)));
      const queries = made.flatMap(([part]) => part);
      return [
        queries.length === 0 ? null : joined(queries, shape),
        sum(made.flatMap(([, part]) => part)),
        sum(made.flatMap(([, , part]) => part)),
      ];
    },
  };
}

function shapeOf(shape: AttentionShape, { start, end, firstKey, endKey }: QueryBlock): AttentionShape {
  const queries = end - start;
  return { ...shape, queries, keys: endKey - firstKey, groupRows: (shape.groupRows / shape.queries) * queries };
}

/** `[batch, kvHeads, group * queries, n]` to `[batch, kvHeads, group * rows, n]`. */
function queriesOf(x: Tensor, { batch, heads, kvHeads, queries }: AttentionShape, { start, end }: QueryBlock): Tensor {
  const width = x.shape[3]!;
  const rows = tf.slice(tf.reshape(x, [batch, heads, queries, width]), [0, 0, start, 0], [-1, -1, end - start, -1]);
  return tf.reshape(rows, [batch, kvHeads, (heads / kvHeads) * (end - start), width]);
}

function keysOf(x: Tensor, { firstKey, endKey }: QueryBlock): Tensor {
  return tf.slice(x, [0, 0, firstKey, 0], [-1, -1, endKey - firstKey, -1]);
}

/** The part of a mask that broadcasts to `[batch, heads, queries, keys]`. */
function maskOf(mask: Tensor | undefined, { start, end, firstKey, endKey }: QueryBlock): Tensor | undefined {
  if (mask === undefined) return undefined;
  const [rows, columns] = mask.shape.slice(-2) as [number, number];
  const other = mask.shape.slice(0, -2);
  return tf.slice(
    mask,
    [...other.map(() => 0), rows === 1 ? 0 : start, columns === 1 ? 0 : firstKey],
    [...other, rows === 1 ? 1 : end - start, columns === 1 ? 1 : endKey - firstKey],
  );
}

function byHead(x: Tensor, { batch, heads }: AttentionShape, { start, end }: QueryBlock): Tensor {
  return tf.reshape(x, [batch, heads, end - start, x.shape[3]!]);
}

/** Blocks `[batch, heads, rows, n]` to `[batch, kvHeads, group * queries, n]`. */
function joined(parts: readonly Tensor[], { batch, kvHeads, groupRows }: AttentionShape): Tensor {
  const whole = parts.length === 1 ? parts[0]! : tf.concat([...parts], 2);
  return tf.reshape(whole, [batch, kvHeads, groupRows, whole.shape[3]!]);
}

function padded(x: Tensor, { keys }: AttentionShape, { firstKey, endKey }: QueryBlock): Tensor {
  return tf.pad(x, [
    [0, 0],
    [0, 0],
    [firstKey, keys - endKey],
    [0, 0],
  ]);
}
