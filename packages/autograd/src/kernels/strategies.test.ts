import * as tf from "@tensorflow/tfjs-core";
import { simd } from "../wasm/simd-product.js";
import { beforeAll, describe, expect, it } from "vitest";
import { SETUPS, useBackend } from "../../test/backends.js";
import type { Case, Input } from "../../test/numeric.js";
import { evaluate, randomInput, relativeError } from "../../test/numeric.js";
import {
  LayoutCache,
  Tape,
  attention,
  concat,
  crossEntropy,
  linear,
  matmul,
  pad,
  reshape,
  rotary,
  slice,
  sum,
  tanh,
} from "../index.js";

const at = (shape: readonly number[], seed: number): Input => randomInput(shape, seed);
const mask = (...shape: number[]): Input => ({
  shape,
  values: randomInput(shape, 77).values.map((value) => (value > 0.8 ? -1e9 : 0)),
});
const heads = (q: number[], k: number[]): Input[] => [at(q, 1), at(k, 2), at(k, 3)];

/** Sizes above the thresholds of the WASM kernels, so that their own paths run. */
const CASES: Record<string, readonly [Case, readonly Input[]]> = {
  "attention head by head": [
    ([q, k, v]) => attention(q!, k!, v!, { scale: 0.2 }),
    heads([1, 2, 50, 52], [1, 2, 40, 52]),
  ],
  ...Object.fromEntries(
    [
      [32, 52],
      [1, 1, 32, 52],
      [2, 1, 1, 52],
      [2, 1, 32, 52],
      [2, 4, 32, 52],
      [1, 4, 32, 52],
      [1, 4, 1, 52],
    ].map((shape) => [
      `attention head by head with grouped heads and a mask [${shape.join(", ")}]`,
      [
        ([q, k, v], tape) =>
          attention(q!, k!, v!, { scale: 0.2, mask: tape.own(tf.tensor(mask(...shape).values, shape)).tensor }),
        heads([2, 4, 32, 32], [2, 2, 52, 32]),
      ] as const,
    ]),
  ),
  "attention whose scores are large": [
    ([q, k, v]) => attention(q!, k!, v!, { scale: 0.2 }),
    heads([1, 2, 1600, 4], [1, 2, 1600, 4]),
  ],
  "attention of one head": [
    ([q, k, v]) => attention(q!, k!, v!, { scale: 0.2 }),
    heads([1, 1, 50, 44], [1, 1, 50, 44]),
  ],
  "batched product": [([a, b]) => matmul(a!, b!), [at([2, 2, 60, 50], 1), at([2, 2, 50, 40], 2)]],
  "batched product, transposed": [
    ([a, b]) => matmul(a!, b!, { transposeA: true, transposeB: true }),
    [at([2, 50, 60], 1), at([2, 40, 50], 2)],
  ],
  "product over a long inner axis, first transposed": [
    ([a, b]) => matmul(a!, b!, { transposeA: true }),
    [at([300, 7], 1), at([300, 9], 2)],
  ],
  "product of wide rows": [([a, b]) => matmul(a!, b!), [at([140, 21], 1), at([21, 203], 2)]],
  "linear of one row": [([x, w, b]) => linear(x!, w!, b!), [at([1, 30], 1), at([41, 30], 2), at([41], 3)]],
  "linear of few rows": [([x, w, b]) => linear(x!, w!, b!), [at([2, 30], 1), at([40, 30], 2), at([40], 3)]],
  "linear of many rows": [([x, w, b]) => linear(x!, w!, b!), [at([2, 9, 30], 1), at([40, 30], 2), at([40], 3)]],
  "boxes of whole and of cut rows": [
    ([x]) =>
      concat(
        [slice(x!, [0, 1, 0], [2, 3, 16]), slice(x!, [1, 0, 0], [1, 3, -1]), slice(x!, [0, 0, 3], [2, 3, 5])].map(
          (part) => sum(part, 0, true),
        ),
        2,
      ),
    [at([2, 4, 16], 1)],
  ],
  padding: [
    ([x]) =>
      pad(x!, [
        [1, 0],
        [0, 2],
        [0, 0],
      ]),
    [at([2, 3, 16], 1)],
  ],
  rotary: [
    ([x], tape) =>
      rotary(
        x!,
        tape.own(tf.tensor(at([5, 16], 4).values, [5, 16])).tensor,
        tape.own(tf.tensor(at([5, 16], 5).values, [5, 16])).tensor,
      ),
    [at([2, 2, 5, 16], 1)],
  ],
  "tanh, also far out": [([x]) => tanh(x!), [{ shape: [6], values: Float32Array.of(-90, -3, -1e-3, 0, 2, 90) }]],
};

describe("the WASM kernels agree with those of cpu", () => {
  it.each(Object.entries(CASES))("%s", async (name, [run, inputs]) => {
    const results = [];
    // Pure JavaScript is slow on millions of scores.
    for (const { backend, matmul: strategy, simd } of SETUPS.filter(
      (setup) => setup.backend === "wasm" || !name.includes("large"),
    )) {
      await useBackend(backend, simd);
      const size = evaluate(
        run,
        inputs,
        inputs.map(() => false),
        null,
        strategy,
      ).output.length;
      results.push(
        evaluate(
          run,
          inputs,
          inputs.map(() => true),
          randomInput([size], 5).values,
          strategy,
        ),
      );
    }
    const [expected, ...others] = results;
    for (const actual of others) {
      expect(relativeError(actual.output, expected!.output)).toBeLessThan(2e-5);
      actual.gradients.forEach((gradient, index) =>
        expect(relativeError(gradient!, expected!.gradients[index]!)).toBeLessThan(2e-5),
      );
    }
  });
});

describe("on WASM", () => {
  beforeAll(() => useBackend("wasm"));

  it("splits a cross entropy into chunks of rows without changing it", () => {
    const [rows, width, vocabulary] = [300, 4, 20_000];
    const inputs = [at([rows, width], 1), at([vocabulary, width], 2), at([vocabulary], 3)];
    const targets = Int32Array.from({ length: rows }, (_, row) => (row * 631) % vocabulary);
    const whole = evaluate(
      ([h, w, b]) => crossEntropy(h!, w!, targets, { bias: b! }),
      inputs,
      [true, true, true],
      null,
      "plain2d",
    );
    const byHand = evaluate(
      ([h, w, b]) => {
        const parts = [0, 100, 200].map((start) =>
          crossEntropy(slice(h!, [start, 0], [100, width]), w!, targets.subarray(start, start + 100), { bias: b! }),
        );
        return sum(
          concat(
            parts.map((part) => reshape(part, [1])),
            0,
          ),
        );
      },
      inputs,
      [true, true, true],
      null,
      "plain2d",
    );
    expect(relativeError(whole.output, byHand.output)).toBeLessThan(1e-6);
    whole.gradients.forEach((gradient, index) =>
      expect(relativeError(gradient!, byHand.gradients[index]!)).toBeLessThan(1e-5),
    );
  });

  it("makes the transposed copy of a frozen weight once, forgets it on demand and with the weight", () => {
    const before = tf.memory().numTensors;
    const layouts = new LayoutCache();
    const weights = [tf.ones([3, 4]), tf.ones([5, 4]), tf.ones([6, 4])];
    const first = layouts.transposed(weights[0]!);
    expect(layouts.transposed(weights[0]!)).toBe(first);
    expect(first.shape).toEqual([4, 3]);
    layouts.transposed(weights[1]!);
    expect(layouts.bytes).toBe(4 * (12 + 20));
    layouts.forget(weights[0]!);
    layouts.forget(weights[0]!);
    expect(first.isDisposed).toBe(true);
    weights[1]!.dispose();
    layouts.transposed(weights[2]!);
    expect(layouts.bytes).toBe(4 * 24);
    layouts.dispose();
    tf.dispose(weights);
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each([true, false])("multiplies views of the same data in any sizes, SIMD %s", (isEnabled) => {
    simd.isEnabled = isEnabled;
    try {
      const { kernels } = new Tape();
      const values = Float32Array.from({ length: 640 }, (_, index) => (index % 7) - 3);
      const whole = tf.tensor2d(values, [2, 320]);
      const narrow = tf.reshape(whole, [32, 20]) as tf.Tensor2D;
      for (const view of [whole, narrow, whole]) {
        const [rows, columns] = view.shape;
        const wanted = Array.from({ length: columns }, (_, column) =>
          Array.from({ length: rows }, (_unused, row) => values[row * columns + column]!).reduce((a, b) => a + b),
        );
        expect(Array.from(kernels.columnSum(view).dataSync())).toEqual(wanted);
        const ones = tf.ones([3, rows]);
        const product = Array.from(kernels.product(ones, view, false, false).dataSync());
        expect(product).toEqual([...wanted, ...wanted, ...wanted]);
      }
    } finally {
      simd.isEnabled = true;
    }
  });

  it("picks its strategy from the backend where none is given", async () => {
    expect(new Tape().kernels.strategy).toBe("plain2d");
    await useBackend("cpu");
    expect(new Tape().kernels.strategy).toBe("flags");
    await useBackend("wasm");
  });
});
