import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { ConstantCache } from "../engine/constant-cache.js";
import type { LayoutCache } from "../engine/layout-cache.js";
import { plainProduct } from "../wasm/plain-product.js";
import { simdAvailable, simdProduct } from "../wasm/simd-product.js";
import { sizeOf } from "./broadcast.js";
import { boxRows, indexColumn } from "./indices.js";
import type { Kernels } from "./kernels.js";
import { turned } from "./kernels.js";

// Without the SIMD kernel (tfjs 4.22, one core): a plain product runs at about 20 GFLOP/s after 0.1 ms, a batched or
// transposed one at 1.8.
const LOOP_FROM_MULTIPLICATIONS = 100_000;
// Transposing a weight costs as much as this many rows of the slow product.
const TRANSPOSE_FROM_ROWS = 4;
// A box of fewer elements per row is cut by the slice kernel.
const GATHER_FROM_COLUMNS = 8;
// Scores of all heads at once take at most this much.
const LOOP_FROM_SCORE_BYTES = 16 * 1024 * 1024;
// A first operand this long is transposed before the product rather than read across its rows.
const TRANSPOSE_FROM_INNER = 256;

/**
 * Kernels of WASM. Beside its products, its slice reads back the whole input, its gather walks element by element, its
 * sums over rows transpose first, and its clone copies; each has a quicker equivalent here with the same numbers.
 */
export function plain2dKernels(constants: ConstantCache, layouts: LayoutCache): Kernels {
  return {
    strategy: "plain2d",
    logitsBytes: 8 * 1024 * 1024,
    product,
    timesWeight(rows, weight, isFrozen, bias) {
      const quick = simdProduct(rows, weight, false, true) as Tensor2D | null;
      if (quick !== null) return bias === undefined ? quick : tf.add(quick, bias);
      if (!isFrozen && rows.shape[0] < TRANSPOSE_FROM_ROWS) {
        const slow = tf.matMul(rows, weight, false, true) as Tensor2D;
        return bias === undefined ? slow : tf.add(slow, bias);
      }
      const turned = (isFrozen ? layouts.transposed(weight) : tf.transpose(weight)) as Tensor2D;
      return plainProduct(rows, turned, bias) as Tensor2D;
    },
    loopsOverHeads: (multiplications, scoreBytes) =>
      simdAvailable() ? scoreBytes > LOOP_FROM_SCORE_BYTES : multiplications >= LOOP_FROM_MULTIPLICATIONS,
    columnSum: (rows) => tf.reshape(product(tf.fill([1, rows.shape[0]], 1), rows), [rows.shape[1]]),
    rowMean: (x) => tf.mean(x, -1, true),
    gatherRows: (x, ids) => tf.gatherND(x, indexColumn(ids)),
    box,
    rotateHalf(x, inverse) {
      const depth = x.shape.at(-1) as number;
      const turn = constants.tensor(`rotateHalf ${depth} ${String(inverse)}`, () => rotation(depth, inverse));
      return tf.reshape(product(tf.reshape(x, [x.size / depth, depth]), turn), x.shape);
    },
    tanh(x) {
      const two = constants.scalar(2);
      return tf.sub(tf.mul(tf.sigmoid(tf.mul(x, two)), two), constants.scalar(1));
    },
    share: (x) => tf.reshape(x, x.shape),
  };
}

function product(a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor {
  const rank = a.shape.length;
  const [rows, inner] = (
    transposeA ? [a.shape[rank - 1], a.shape[rank - 2]] : [a.shape[rank - 2], a.shape[rank - 1]]
  ) as [number, number];
  const columns = (transposeB ? b.shape[rank - 2] : b.shape[rank - 1]) as number;
  const turnsFirst = transposeA && inner >= TRANSPOSE_FROM_INNER;
  if (simdAvailable())
    return simdProduct(turnsFirst ? turned(a) : a, b, transposeA && !turnsFirst, transposeB) as Tensor;
  if (rank > 2 && rows * inner * columns < LOOP_FROM_MULTIPLICATIONS)
    return transposeA || transposeB ? tf.matMul(a, b, transposeA, transposeB) : plainProduct(a, b);
  const left = transposeA ? turned(a) : a;
  const right = transposeB ? turned(b) : b;
  if (rank === 2) return plainProduct(left, right);
  const pickLeft = picker(left);
  const pickRight = picker(right);
  const parts = Array.from({ length: sizeOf(a.shape.slice(0, -2)) }, (_, index) =>
    tf.tidy(() => plainProduct(pickLeft(index), pickRight(index))),
  );
  return tf.reshape(tf.concat(parts, 0), [...a.shape.slice(0, -2), rows, columns]);
}

/** Takes matrix `index` of a stack `[..., rows, columns]` out as `[1, rows, columns]`. */
export function picker(stack: Tensor): (index: number) => Tensor {
  const [rows, columns] = stack.shape.slice(-2) as [number, number];
  const flat = tf.reshape(stack, [stack.size / (rows * columns), rows, columns]);
  return (index) => (flat.shape[0] === 1 ? flat : tf.gatherND(flat, tf.tensor2d([index], [1, 1], "int32")));
}

function box(x: Tensor, begin: readonly number[], size: readonly number[]): Tensor {
  let axis = x.shape.length - 1;
  while (axis >= 0 && size[axis] === x.shape[axis]) axis -= 1;
  if (axis < 0) return tf.reshape(x, x.shape);
  const inner = sizeOf(x.shape.slice(axis + 1));
  const rows = boxRows(x.shape, begin, size, axis);
  if (inner < GATHER_FROM_COLUMNS || x.dtype !== "float32" || rows.length === 0)
    return tf.slice(x, [...begin], [...size]);
  return tf.reshape(tf.gatherND(tf.reshape(x, [x.size / inner, inner]), indexColumn(rows)), [...size]);
}

/** The matrix that turns a row `[first, second]` into `[-second, first]`, or with `inverse` into `[second, -first]`. */
function rotation(depth: number, inverse: boolean): Tensor {
  const half = depth / 2;
  const values = new Float32Array(depth * depth);
  for (let index = 0; index < half; index += 1) {
    values[(index + half) * depth + index] = inverse ? 1 : -1;
    values[index * depth + index + half] = inverse ? -1 : 1;
  }
  return tf.tensor2d(values, [depth, depth]);
}
