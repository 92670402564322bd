import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import { indexColumn } from "./indices.js";
import type { Kernels } from "./kernels.js";

/** All heads' scores take at most this much at a time; two or three such tensors exist at once. */
const LOOP_FROM_SCORE_BYTES = 512 * 1024 * 1024;

/** Kernels of backends whose products take transpose flags for free: native, GPU, cpu. */
export const FLAGS_KERNELS: Kernels = {
  strategy: "flags",
  logitsBytes: 64 * 1024 * 1024,
  product: (a, b, transposeA, transposeB) => tf.matMul(a, b, transposeA, transposeB),
  timesWeight(rows, weight, _, bias) {
    if (bias === undefined) return tf.matMul(rows, weight, false, true) as Tensor2D;
    // WASM's fused kernel drops the bias of a transposed product (BatchMatMul's slow path); TensorFlow's is these two
    // and three reshapes.
    if (["wasm", "tensorflow"].includes(tf.getBackend())) return tf.add(tf.matMul(rows, weight, false, true), bias);
    return tf.fused.matMul({ a: rows, b: weight, transposeB: true, bias }) as Tensor2D;
  },
  loopsOverHeads: (_, scoreBytes) => scoreBytes > LOOP_FROM_SCORE_BYTES,
  columnSum: (rows) => tf.sum(rows, 0),
  rowMean: (x) => tf.mean(x, -1, true),
  gatherRows: (x, ids) => tf.gatherND(x, indexColumn(ids)),
  box: (x, begin, size) => tf.slice(x, [...begin], [...size]),
  rotateHalf(x, inverse) {
    const axis = x.shape.length - 1;
    const half = (x.shape[axis] as number) / 2;
    const size = [...x.shape.slice(0, -1), half];
    const begin = x.shape.map(() => 0);
    const first = tf.slice(x, begin, size);
    const second: Tensor = tf.slice(x, [...begin.slice(0, -1), half], size);
    return inverse ? tf.concat([second, tf.neg(first)], axis) : tf.concat([tf.neg(second), first], axis);
  },
  tanh: (x) => tf.tanh(x),
  share: (x) => tf.clone(x),
};
