import * as tf from "@tensorflow/tfjs-core";
import { matrixNames, type Adapter } from "./adapter.js";

/**
 * `W + scaling * B A`: the weight `[out, in]` that does alone what layer and adapter do together. float32, row-major.
 */
export async function mergedWeight(
  weight: Float32Array,
  adapter: Adapter,
  readParameter: (name: string) => Promise<Float32Array>,
): Promise<Float32Array> {
  const { rank, inputs, outputs, scaling, module } = adapter;
  const names = matrixNames(module);
  const [a, b] = [await readParameter(names.a), await readParameter(names.b)];
  const merged = tf.tidy(() => {
    const product = tf.matMul(tf.tensor2d(b, [outputs, rank]), tf.tensor2d(a, [rank, inputs]));
    return tf.add(tf.tensor2d(weight, [outputs, inputs]), tf.mul(product, scaling));
  });
  try {
    return (await merged.data<"float32">()).slice();
  } finally {
    merged.dispose();
  }
}
