import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { inShape, sizeOf } from "../kernels/broadcast.js";
import { operate } from "../engine/operation.js";
import type { Value } from "../engine/value.js";

/** Sum over an axis or several, by default all. Saves nothing. */
export function sum(x: Value, axis?: number | readonly number[], keepDims = false): Value {
  const { axes, kept } = reduction(x.shape, axis);
  return operate("sum", [x], (record) => {
    if (record !== null) record.backward = (gradient) => [spread(gradient, kept, x.shape)];
    return tf.sum(x.tensor, axes, keepDims);
  });
}

/** Mean over an axis or several, by default all. Saves nothing. */
export function mean(x: Value, axis?: number | readonly number[], keepDims = false): Value {
  const { axes, kept } = reduction(x.shape, axis);
  const count = sizeOf(x.shape) / sizeOf(kept);
  return operate("mean", [x], (record, tape) => {
    if (record !== null)
      record.backward = (gradient) => [spread(tf.mul(gradient, tape.scalar(1 / count)), kept, x.shape)];
    return tf.mean(x.tensor, axes, keepDims);
  });
}

function reduction(
  shape: readonly number[],
  axis: number | readonly number[] | undefined,
): { axes: number[]; kept: number[] } {
  const given = axis === undefined ? shape.map((_, index) => index) : typeof axis === "number" ? [axis] : axis;
  const axes = given.map((index) => (index < 0 ? index + shape.length : index));
  return { axes, kept: shape.map((size, index) => (axes.includes(index) ? 1 : size)) };
}

/** Repeats a reduced gradient over the axes it was reduced along. */
function spread(gradient: Tensor, kept: readonly number[], shape: readonly number[]): Tensor {
  return tf.broadcastTo(inShape(gradient, kept), [...shape]);
}
