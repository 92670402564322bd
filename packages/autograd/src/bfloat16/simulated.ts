import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { packBfloat16, roundToBfloat16, unpackBfloat16 } from "./pack.js";
import type { Bfloat16Products } from "./products.js";

/**
 * The same numbers as bfloat16 hardware gives, to the order of summation, on any backend; slow, as everything passes
 * through JavaScript. For tests.
 */
export function simulatedBfloat16(): Bfloat16Products {
  const rounded = (x: Tensor): Tensor => tf.tensor(roundToBfloat16(x.dataSync<"float32">()), x.shape);
  const widen = (words: Tensor): Tensor => {
    const shape = [...words.shape.slice(0, -1), 2 * (words.shape.at(-1) as number)];
    return tf.tensor(unpackBfloat16(words.dataSync<"float32">()), shape);
  };
  const product = (x: Tensor, words: Tensor, transpose: boolean): Tensor2D => {
    const matrix = widen(words);
    const inner = matrix.shape[transpose ? 1 : 0] as number;
    return rounded(tf.matMul(rounded(tf.reshape(x, [x.size / inner, inner])), matrix, false, transpose)) as Tensor2D;
  };
  return {
    timesTransposed: (x, { words }) => product(x, words, true),
    times: (x, { words }) => product(x, words, false),
    widen,
    narrowRows: (x) =>
      tf.tensor(packBfloat16(x.dataSync<"float32">()).words, [...x.shape.slice(0, -1), x.shape.at(-1)! / 2]),
    widenRows: widen,
    handle() {
      throw new Error("Simulated products have no functions.");
    },
    traced() {
      throw new Error("Simulated products have no functions.");
    },
    forget: () => undefined,
    endPass: () => undefined,
  };
}
