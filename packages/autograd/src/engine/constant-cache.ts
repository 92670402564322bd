import type { Scalar, Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/** A mask and two tables of positions for each of a few lengths. */
const RECENT_COUNT = 24;

/**
 * Small constant tensors, each uploaded once: a JavaScript number as operand is uploaded on every call, which costs
 * three times the op itself on a GPU. A tape has a cache of its own unless it is given one that outlives it.
 */
export class ConstantCache {
  #scalars = new Map<number, Scalar>();
  #tensors = new Map<string, Tensor>();
  /** Least recently used first. */
  #recent = new Map<string, Tensor>();

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

  /** As `tensor`, for what may come in ever new sizes: {@link trim} frees those that were not used lately. */
  recent(key: string, make: () => Tensor): Tensor {
    const known = this.#recent.get(key) ?? tf.keep(make());
    this.#recent.delete(key);
    this.#recent.set(key, known);
    return known;
  }

  /** Frees all but the last few of the recent ones; called between passes. */
  trim(): void {
    for (const [key, tensor] of this.#recent) {
      if (this.#recent.size <= RECENT_COUNT) return;
      this.#recent.delete(key);
      tensor.dispose();
    }
  }

  /** Frees all; the cache stays usable. */
  dispose(): void {
    tf.dispose([...this.#scalars.values(), ...this.#tensors.values(), ...this.#recent.values()]);
    this.#scalars.clear();
    this.#tensors.clear();
    this.#recent.clear();
  }
}
