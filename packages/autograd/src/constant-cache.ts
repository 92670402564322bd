import type { Scalar, Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/**
 * Small constant tensors, each uploaded once: a JavaScript number as operand is uploaded on every call, which costs three
 * times the op itself on a GPU. A tape has a cache of its own unless it is given one that outlives it.
 */
export class ConstantCache {
  #scalars = new Map<number, Scalar>();
  #tensors = new Map<string, Tensor>();

  /** The number as a float32 scalar. Borrowed: the cache disposes it. */
  scalar(value: number): Scalar {
    let known = this.#scalars.get(value);
    if (known === undefined) {
      known = tf.keep(tf.scalar(value, "float32"));
      this.#scalars.set(value, known);
    }
    return known;
  }

  /** The tensor of that name, made at the first call. Borrowed: the cache disposes it. */
  tensor(name: string, make: () => Tensor): Tensor {
    let known = this.#tensors.get(name);
    if (known === undefined) {
      known = tf.keep(make());
      this.#tensors.set(name, known);
    }
    return known;
  }

  /** Frees all; the cache stays usable. */
  dispose(): void {
    tf.dispose([...this.#scalars.values(), ...this.#tensors.values()]);
    this.#scalars.clear();
    this.#tensors.clear();
  }
}
