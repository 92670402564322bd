import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Bfloat16Products } from "../bfloat16/products.js";

/** What is known of a tensor of words beside its words. */
interface NarrowFacts {
  /** Of the numbers that the words hold. */
  readonly shape: readonly number[];
  readonly products: Bfloat16Products;
}

/** By a tensor's data, which copies share. */
const FACTS = new WeakMap<object, NarrowFacts>();

/**
 * Says that `words` are numbers of that shape in bfloat16, as `products` keep what functions hand on. They pass as a
 * tensor wherever nothing computes with them: values of a tape hold them, and gradients on their way are such.
 * @returns `words`
 */
export function asNarrow(words: Tensor, shape: readonly number[], products: Bfloat16Products): Tensor {
  FACTS.set(words.dataId, { shape, products });
  return words;
}

/** Whether a tensor is words of bfloat16 that functions hand on. */
export function isNarrow(tensor: Tensor): boolean {
  return FACTS.has(tensor.dataId);
}

/** The shape of the numbers that a tensor holds, in words or not. */
export function shapeOf(tensor: Tensor): readonly number[] {
  return FACTS.get(tensor.dataId)?.shape ?? tensor.shape;
}

/** The tensor itself, or of words the same numbers in float32, which belong to the tidy around. */
export function widened(tensor: Tensor): Tensor {
  const facts = FACTS.get(tensor.dataId);
  return facts === undefined ? tensor : facts.products.widenRows(tensor, facts.shape);
}

/** Rows of an even number of columns can be kept in words of two. */
export function isNarrowable({ shape, dtype }: Tensor): boolean {
  return dtype === "float32" && shape.length >= 2 && shape.at(-1)! > 0 && shape.at(-1)! % 2 === 0;
}

/** The sum of two gradients, in float32; kept. */
export function sumOf(a: Tensor, b: Tensor): Tensor {
  return tf.keep(tf.tidy(() => tf.add(widened(a), widened(b))));
}

/** A gradient as callers get it: float32; kept. Takes `gradient` over. */
export function wideGradient(gradient: Tensor | null): Tensor | null {
  if (gradient === null || !isNarrow(gradient)) return gradient;
  const wide = tf.keep(tf.tidy(() => widened(gradient)));
  gradient.dispose();
  return wide;
}
