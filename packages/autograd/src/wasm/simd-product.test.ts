import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { useBackend } from "../../test/backends.js";
import { randomInput, relativeError } from "../../test/numeric.js";
import { simdAvailable, simdProduct } from "./simd-product.js";

/**
 * Count, rows, inner, columns: every tail of rows (4), of columns (8, 4, 2, 1) and of the inner axis (4), and the
 * packed path.
 */
const SIZES = [1, 2, 3].flatMap((count) =>
  [
    [1, 1, 1],
    [1, 7, 9],
    [2, 4, 3],
    [3, 5, 2],
    [4, 8, 8],
    [5, 3, 13],
    [6, 2, 15],
    [7, 9, 12],
    [9, 33, 17],
    [33, 6, 195],
    [67, 10, 5],
    [131, 5, 200],
    [30, 5, 8],
    [30, 5, 13],
    [30, 6, 15],
  ].map((size) => [count, ...size] as [number, number, number, number]),
);

describe("the SIMD product", () => {
  beforeAll(() => useBackend("wasm"));

  it("is there on this machine", () => {
    expect(simdAvailable()).toBe(true);
  });

  it.each(SIZES)(
    "of %i pairs of %i x %i by %i columns agrees with a plain loop, plain and transposed",
    (count, rows, inner, columns) => {
      const before = tf.memory().numTensors;
      const a = randomInput([count, rows, inner], 1).values;
      const b = randomInput([count, inner, columns], 2).values;
      const expected = Float32Array.from({ length: count * rows * columns }, (_, at) => {
        const [stack, row, column] = [Math.floor(at / (rows * columns)), Math.floor(at / columns) % rows, at % columns];
        let sum = 0;
        for (let k = 0; k < inner; k += 1)
          sum += a[(stack * rows + row) * inner + k]! * b[(stack * inner + k) * columns + column]!;
        return sum;
      });
      tf.tidy(() => {
        const left = tf.tensor3d(a, [count, rows, inner]);
        const right = tf.tensor3d(b, [count, inner, columns]);
        const products = [
          simdProduct(left, right, false, false),
          simdProduct(tf.transpose(left, [0, 2, 1]), right, true, false),
          simdProduct(left, tf.transpose(right, [0, 2, 1]), false, true),
          simdProduct(tf.transpose(left, [0, 2, 1]), tf.transpose(right, [0, 2, 1]), true, true),
        ];
        for (const product of products) {
          expect(product!.shape).toEqual([count, rows, columns]);
          expect(relativeError(product!.dataSync(), expected)).toBeLessThan(2e-6);
        }
      });
      expect(tf.memory().numTensors).toBe(before);
    },
  );

  it("is not there on another backend", async () => {
    await useBackend("cpu");
    expect(simdAvailable()).toBe(false);
    await useBackend("wasm");
  });
});
