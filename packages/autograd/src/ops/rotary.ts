import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { badArgument } from "../errors.js";
import { operate } from "../operation.js";
import type { Value } from "../value.js";

/**
 * Rotary position embedding (Su et al. 2021, arXiv 2104.09864) in the rotate-half form of Hugging Face: `x cos + rotateHalf(x) sin` with
 * `rotateHalf(x) = [-second half, first half]`. `x [batch, heads, tokens, d]`; `cos` and `sin` `[tokens, d]` or `[batch, 1, tokens, d]`, borrowed until
 * backward. Saves nothing.
 * @throws THAW_AUTOGRAD_SHAPE if `d` is odd
 */
export function rotary(x: Value, cos: Tensor, sin: Tensor): Value {
  const depth = x.shape.at(-1) as number;
  if (depth % 2 !== 0) throw badArgument("rotary", `The head size is ${depth}.`, "It must be even.");
  return operate("rotary", [x], (record) => {
    if (record !== null) record.backward = (gradient) => [tf.add(tf.mul(gradient, cos), rotateBack(tf.mul(gradient, sin)))];
    return tf.add(tf.mul(x.tensor, cos), tf.mul(rotateHalf(x.tensor), sin));
  });
}

function rotateHalf(x: Tensor): Tensor {
  const [first, second] = halves(x);
  return tf.concat([tf.neg(second), first], -1);
}

/** The transpose of {@link rotateHalf}. */
function rotateBack(x: Tensor): Tensor {
  const [first, second] = halves(x);
  return tf.concat([second, tf.neg(first)], -1);
}

function halves(x: Tensor): [Tensor, Tensor] {
  const axis = x.shape.length - 1;
  const half = (x.shape[axis] as number) / 2;
  const begin = x.shape.map(() => 0);
  const size = [...x.shape.slice(0, -1), half];
  const middle = [...begin.slice(0, -1), half];
  return [tf.slice(x, begin, size), tf.slice(x, middle, size)];
}
