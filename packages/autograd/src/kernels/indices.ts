import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/** Indices as the int32 column `[n, 1]` that `gatherND` and `scatterND` want. */
export function indexColumn(ids: Int32Array): Tensor2D {
  return tf.tensor2d(ids, [ids.length, 1], "int32");
}

/** Sums `values [n, columns]` into the rows `ids` of a new `[count, columns]`; what repeats adds up. */
export function scatterSum(values: Tensor, ids: Int32Array, count: number): Tensor {
  return tf.scatterND(indexColumn(ids), values, [count, values.shape[1] as number]);
}

/** 1 at each row's id, else 0: `[ids, classes]`, float32. */
export function oneHot(ids: Int32Array, classes: number): Tensor {
  const column = tf.tensor1d(ids, "int32");
  // WASM's one-hot writes integers whatever dtype and values it is asked for.
  if (tf.getBackend() === "wasm") return tf.cast(tf.oneHot(column, classes), "float32");
  return tf.oneHot(column, classes, 1, 0, "float32");
}

/** Row numbers of a box in `x` seen as `[rows, inner]`, where `axis` is the last axis that the box cuts. Row-major. */
export function boxRows(
  shape: readonly number[],
  begin: readonly number[],
  size: readonly number[],
  axis: number,
): Int32Array {
  let rows = [0];
  for (let current = 0; current <= axis; current += 1) {
    const length = shape[current] as number;
    const start = begin[current] as number;
    const count = size[current] as number;
    rows = rows.flatMap((row) => Array.from({ length: count }, (_, index) => row * length + start + index));
  }
  return Int32Array.from(rows);
}
