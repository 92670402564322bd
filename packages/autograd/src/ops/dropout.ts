import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { badArgument } from "../errors.js";
import { sizeOf } from "../kernels/broadcast.js";
import { operate } from "../engine/operation.js";
import type { Value } from "../engine/value.js";

/**
 * Zeroes a share `rate` of the elements and scales the others by `1 / (1 - rate)` (Srivastava et al. 2014). The same
 * `seed` drops the same elements, so nothing is saved: backward makes the mask again. With a seed for each row of
 * `[..., width]` a row loses the same wherever it stands.
 * @throws THAW_AUTOGRAD_SHAPE if the rate is not in [0, 1), or where rows and seeds do not go together
 */
export function dropout(x: Value, rate: number, seed: number | Int32Array): Value {
  if (!(rate >= 0 && rate < 1))
    throw badArgument("dropout", `The rate is ${rate}.`, "Use a rate from 0 up to, but not including, 1.");
  const rowCount = sizeOf(x.shape.slice(0, -1));
  if (typeof seed !== "number" && seed.length !== rowCount)
    throw badArgument("dropout", `There are ${seed.length} seeds and ${rowCount} rows.`, "Give each row a seed.");
  return operate("dropout", [x], (record) => {
    if (record !== null) record.backward = (gradient) => [tf.mul(gradient, dropMask(x.shape, rate, seed))];
    return tf.mul(x.tensor, dropMask(x.shape, rate, seed));
  });
}

/** 0 with probability `rate`, else `1 / (1 - rate)`. */
function dropMask(shape: readonly number[], rate: number, seed: number | Int32Array): Tensor {
  const values = new Float32Array(sizeOf(shape));
  const kept = 1 / (1 - rate);
  const seeds = typeof seed === "number" ? [seed] : seed;
  const width = values.length / seeds.length;
  for (const [row, own] of seeds.entries()) {
    const random = mulberry32(own);
    for (let index = row * width; index < (row + 1) * width; index += 1) values[index] = random() < rate ? 0 : kept;
  }
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
