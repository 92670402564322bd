import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Tape } from "../tape.js";

/** Swaps the last two axes. */
export function swapLast(x: Tensor): Tensor {
  const rank = x.shape.length;
  const order = x.shape.map((_, axis) => axis);
  order[rank - 2] = rank - 1;
  order[rank - 1] = rank - 2;
  return tf.transpose(x, order);
}

/**
 * `op(a) op(b)` over the last two axes, `op` being the transpose where asked; leading axes are equal. Follows the tape's strategy.
 */
export function product(tape: Tape, a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor {
  if (tape.matmul === "flags") return tf.matMul(a, b, transposeA, transposeB);
  return tf.tidy(() => {
    const left = transposeA ? swapLast(a) : a;
    const right = transposeB ? swapLast(b) : b;
    return left.shape.length === 2 ? tf.matMul(left, right) : loopedProduct(left, right);
  });
}

/** Plain 2-D products in a loop over the leading axes. */
function loopedProduct(a: Tensor, b: Tensor): Tensor {
  const rank = a.shape.length;
  const [rows, inner, columns] = [a.shape[rank - 2] as number, a.shape[rank - 1] as number, b.shape[rank - 1] as number];
  const leading = a.shape.slice(0, -2);
  const count = leading.reduce((total, size) => total * size, 1);
  const flatA = tf.reshape(a, [count, rows, inner]);
  const flatB = tf.reshape(b, [count, inner, columns]);
  const parts: Tensor[] = [];
  for (let index = 0; index < count; index += 1) {
    parts.push(tf.matMul(tf.slice(flatA, [index, 0, 0], [1, rows, inner]), tf.slice(flatB, [index, 0, 0], [1, inner, columns])));
  }
  return tf.reshape(tf.concat(parts, 0), [...leading, rows, columns]);
}
