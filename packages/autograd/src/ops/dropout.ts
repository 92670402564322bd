import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { badArgument } from "../errors.js";
import { sizeOf } from "../kernels/broadcast.js";
import { operate } from "../engine/operation.js";
import type { Value } from "../engine/value.js";

/**
 * Zeroes a share `rate` of the elements and scales the others by `1 / (1 - rate)` (Srivastava et al. 2014). The same
 * `seed` drops the same elements, so nothing is saved: backward makes the mask again.
 * @throws THAW_AUTOGRAD_SHAPE if the rate is not in [0, 1)
 */
export function dropout(x: Value, rate: number, seed: number): Value {
  if (!(rate >= 0 && rate < 1))
    throw badArgument("dropout", `The rate is ${rate}.`, "Use a rate from 0 up to, but not including, 1.");
  return operate("dropout", [x], (record) => {
    if (record !== null) record.backward = (gradient) => [tf.mul(gradient, dropMask(x.shape, rate, seed))];
    return tf.mul(x.tensor, dropMask(x.shape, rate, seed));
  });
}

/** 0 with probability `rate`, else `1 / (1 - rate)`. */
function dropMask(shape: readonly number[], rate: number, seed: number): Tensor {
  const values = new Float32Array(sizeOf(shape));
  const kept = 1 / (1 - rate);
  const random = mulberry32(seed);
  for (let index = 0; index < values.length; index += 1) values[index] = random() < rate ? 0 : kept;
  return tf.tensor(values, [...shape]);
}

/**
 * Uniform numbers in [0, 1): mulberry32 (Tommy Ettinger, public domain). The same as in `@thaw/contracts`, which stands
 * above this package: autograd imports none of Thaw's.
 */
export function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
