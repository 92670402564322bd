import type { Scalar } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/**
 * Scalars as tensors, each uploaded once: a JavaScript number as operand is uploaded on every call, which costs three
 * times the op itself on a GPU. A tape has one of its own unless it is given one that outlives it.
 */
export class ScalarCache {
  #scalars = new Map<number, Scalar>();

  /** The number as a float32 scalar. Borrowed: the cache disposes it. */
  get(value: number): Scalar {
    const known = this.#scalars.get(value);
    if (known !== undefined) return known;
    const made = tf.keep(tf.scalar(value, "float32"));
    this.#scalars.set(value, made);
    return made;
  }

  /** Frees all; the cache stays usable. */
  dispose(): void {
    for (const scalar of this.#scalars.values()) scalar.dispose();
    this.#scalars.clear();
  }
}
