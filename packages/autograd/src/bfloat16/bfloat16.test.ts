import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { useBackend } from "../../test/backends.js";
import { type FrozenLayers, runFrozen } from "../../test/frozen-layers.js";
import { randomInput } from "../../test/numeric.js";
import {
  add,
  crossEntropy,
  embedding,
  linear,
  packBfloat16,
  reshape,
  roundToBfloat16,
  simulatedBfloat16,
  sum,
  tensorflowBfloat16,
  unpackBfloat16,
} from "../index.js";

let tensors = 0;
beforeAll(() => useBackend("cpu"));
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensors);
});

/** One unit in the last place of bfloat16, of numbers as large as `scale`. */
const step = (scale: number): number => scale * 2 ** -8;

describe("packing", () => {
  it("rounds to nearest even and keeps special numbers", () => {
    const given = Float32Array.of(1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, -1.004, 0, -0, Infinity, -Infinity, 3.4e38, 257);
    expect([...roundToBfloat16(given)]).toEqual([
      1,
      1,
      1 + 2 ** -6,
      -1.0078125,
      0,
      -0,
      Infinity,
      -Infinity,
      Infinity,
      256,
    ]);
    expect(roundToBfloat16(Float32Array.of(NaN))[0]).toBeNaN();
  });

  it("says whether anything was lost, and undoes itself", () => {
    const exact = Float32Array.of(1.5, -2, 0.25);
    expect(packBfloat16(exact).isExact).toBe(true);
    expect(packBfloat16(Float32Array.of(0.1)).isExact).toBe(false);
    expect([...unpackBfloat16(packBfloat16(exact).words, 3)]).toEqual([...exact]);
  });
});

/** Loss and gradient of the input, of layers with frozen weights in either form. */
const run = (isPacked: boolean, layers: FrozenLayers) => {
  const products = simulatedBfloat16();
  return runFrozen([2, 3, 8], layers, (tape, values, shape, keep) =>
    isPacked
      ? tape.packedParameter(
          { words: keep(tf.tensor(packBfloat16(values).words, [shape[0], shape[1] / 2])), shape },
          products,
        )
      : tape.parameter(keep(tf.tensor(roundToBfloat16(values), shape)), false),
  );
};

const ROW_IDS = Int32Array.of(4, 0, 4, 1, 2, 3);
const CASES: Record<string, FrozenLayers> = {
  linear: (x, weight) => sum(linear(x, weight([10, 8], 2))),
  "linear with a bias": (x, weight, tape) =>
    sum(linear(x, weight([10, 8], 2), tape.own(tf.tensor1d(randomInput([10], 3).values)))),
  "two layers that share their input": (x, weight) =>
    sum(add(linear(x, weight([10, 8], 2)), linear(x, weight([10, 8], 3)))),
  "rows of a table": (x, weight) => sum(add(x, embedding(weight([6, 8], 2), ROW_IDS, [2, 3]))),
  "the vocabulary product": (x, weight) =>
    crossEntropy(reshape(linear(x, weight([4, 8], 4)), [6, 4]), weight([20, 4], 5), ROW_IDS),
  "an op that knows nothing of bfloat16": (x, weight) => sum(add(x, weight([3, 8], 2))),
};
describe("frozen weights in bfloat16", () => {
  it.each(Object.entries(CASES))("%s: what float32 gives, to bfloat16's own rounding", (_, build) => {
    const [packed, plain] = [run(true, build), run(false, build)];
    expect(Math.abs(packed.loss - plain.loss)).toBeLessThanOrEqual(step(60 + Math.abs(plain.loss)));
    packed.gradient.forEach((value, index) =>
      expect(Math.abs(value - plain.gradient[index]!)).toBeLessThanOrEqual(
        step(4 + 2 * Math.abs(plain.gradient[index]!)),
      ),
    );
  });

  it("are offered by TensorFlow's own backend alone", () => {
    expect(tensorflowBfloat16()).toBeNull();
  });
});
