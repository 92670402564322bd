import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Kernels } from "./kernels.js";

/** Whether two shapes are the same. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** `x` in another shape; `x` itself if it has that shape, as a reshape costs an op on native backends. */
export function inShape(x: Tensor, shape: readonly number[]): Tensor {
  return sameShape(x.shape, shape) ? x : tf.reshape(x, [...shape]);
}

/**
 * Undoes a broadcast: sums `gradient` over the axes along which `shape` was stretched. Returns `gradient` itself if
 * there are none.
 */
export function sumTo(kernels: Kernels, gradient: Tensor, shape: readonly number[]): Tensor {
  if (sameShape(gradient.shape, shape)) return gradient;
  const missing = gradient.shape.length - shape.length;
  const tail = gradient.shape.slice(missing);
  if (missing > 0 && sameShape(tail, shape)) {
    const columns = sizeOf(shape);
    return inShape(kernels.columnSum(inShape(gradient, [gradient.size / columns, columns]) as Tensor2D), shape);
  }
  const axes = gradient.shape
    .map((_, axis) => axis)
    .filter((axis) => axis < missing || (shape[axis - missing] === 1 && gradient.shape[axis] !== 1));
  return inShape(tf.sum(gradient, axes), shape);
}
