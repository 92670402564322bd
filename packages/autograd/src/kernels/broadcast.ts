import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/** Whether two shapes are the same. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Undoes a broadcast: sums `gradient` over the axes along which `shape` was stretched. Returns `gradient` itself if there are none. */
export function sumTo(gradient: Tensor, shape: readonly number[]): Tensor {
  if (sameShape(gradient.shape, shape)) return gradient;
  const missing = gradient.shape.length - shape.length;
  const axes = gradient.shape.map((_, axis) => axis).filter((axis) => axis < missing || (shape[axis - missing] === 1 && gradient.shape[axis] !== 1));
  const summed = axes.length === 0 ? gradient : tf.sum(gradient, axes);
  return sameShape(summed.shape, shape) ? summed : tf.reshape(summed, [...shape]);
}
