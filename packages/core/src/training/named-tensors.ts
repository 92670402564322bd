import type { Scalar, Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/** Each times its factor; frees the gradients as it goes. */
export function scaled(
  gradients: ReadonlyMap<string, Tensor>,
  factor: (name: string) => Scalar,
  free: (name: string) => void,
): ReadonlyMap<string, Tensor> {
  const result = new Map<string, Tensor>();
  for (const [name, gradient] of gradients) {
    result.set(name, tf.mul(gradient, factor(name)));
    free(name);
  }
  return result;
}

/** Each as `make` makes it. */
export function mapped(
  tensors: ReadonlyMap<string, Tensor>,
  make: (tensor: Tensor) => Tensor,
): ReadonlyMap<string, Tensor> {
  return new Map([...tensors].map(([name, tensor]) => [name, make(tensor)]));
}
