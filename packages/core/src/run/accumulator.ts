import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/** Sums of a step's micro-batches: gradients by name, the loss, the tokens. Nothing is divided before the step's end. */
export class Accumulator {
  readonly #gradients = new Map<string, Tensor>();
  #lossSum: Tensor | undefined;
  supervisedTokens = 0;
  tokens = 0;
  microBatches = 0;

  /** Borrowed until `clear`. */
  get gradients(): ReadonlyMap<string, Tensor> {
    return this.#gradients;
  }

  /** A scalar, borrowed; undefined before the first micro-batch with supervised tokens. */
  get lossSum(): Tensor | undefined {
    return this.#lossSum;
  }

  /** Takes ownership of `gradient`. */
  addGradient(name: string, gradient: Tensor): void {
    this.#gradients.set(name, sumOf(this.#gradients.get(name), gradient));
  }

  /** Borrows `loss`, a scalar. */
  addLoss(loss: Tensor): void {
    this.#lossSum = sumOf(this.#lossSum, tf.clone(loss));
  }

  /** Hands the gradients over, which the caller then frees. */
  takeGradients(): Map<string, Tensor> {
    const taken = new Map(this.#gradients);
    this.#gradients.clear();
    return taken;
  }

  clear(): void {
    for (const gradient of this.#gradients.values()) gradient.dispose();
    this.#gradients.clear();
    this.#lossSum?.dispose();
    this.#lossSum = undefined;
    this.supervisedTokens = 0;
    this.tokens = 0;
    this.microBatches = 0;
  }
}

/** The sum; frees both. */
function sumOf(before: Tensor | undefined, next: Tensor): Tensor {
  if (before === undefined) return tf.keep(next);
  const sum = tf.keep(tf.add(before, next));
  before.dispose();
  next.dispose();
  return sum;
}
