import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { badArgument } from "../../errors.js";
import { operate } from "../../engine/operation.js";
import type { Value } from "../../engine/value.js";

/**
 * Rotary position embedding (Su et al. 2021, arXiv 2104.09864) in the rotate-half form of Hugging Face: `x cos +
 * rotateHalf(x) sin` with `rotateHalf(x) = [-second half, first half]`. `x [batch, heads, tokens, d]`; `cos` and `sin`
 * `[tokens, d]` or `[batch, 1, tokens, d]`, borrowed until backward. Saves nothing.
 * @throws THAW_AUTOGRAD_SHAPE if `d` is odd
 */
export function rotary(x: Value, cos: Tensor, sin: Tensor): Value {
  const depth = x.shape.at(-1) as number;
  if (depth % 2 !== 0) throw badArgument("rotary", `The head size is ${depth}.`, "It must be even.");
  return operate("rotary", [x], (record, tape) => {
    if (record !== null)
      record.backward = (gradient) => [
        tf.add(tf.mul(gradient, cos), tape.kernels.rotateHalf(tf.mul(gradient, sin), true)),
      ];
    return tf.add(tf.mul(x.tensor, cos), tf.mul(tape.kernels.rotateHalf(x.tensor, false), sin));
  });
}
