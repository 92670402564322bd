import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/** Sizes under which the backend has kept something of a tensor's data. */
const kept = new WeakMap<object, string>();

/**
 * `a b` of two matrices, or of stacks of one each, by TensorFlow.js' own kernel on WASM, plus `bias [columns]`. That
 * kernel (tfjs 4.22, `xnn_matmul_impl.cc`) keeps its plan for a second operand by the identity of its data, whatever
 * its shape: another view of the same data would be multiplied as the first one was, and written beyond the end of the
 * output. Data that comes again in other sizes is copied here.
 */
export function plainProduct(a: Tensor, b: Tensor, bias?: Tensor): Tensor {
  const sizes = b.shape.slice(-2).join("x");
  const before = kept.get(b.dataId);
  if (before === undefined) kept.set(b.dataId, sizes);
  return tf.tidy(() => {
    const right = before === undefined || before === sizes ? b : tf.add(b, 0);
    return bias === undefined ? tf.matMul(a, right) : tf.fused.matMul({ a: a as Tensor2D, b: right as Tensor2D, bias });
  });
}
