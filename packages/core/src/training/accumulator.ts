import type { RowCounts } from "@thaw/contracts";
import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/**
 * Sums of a step's micro-batches: gradients by name, the loss, the tokens. Nothing is divided before the step's end.
 */
export class Accumulator {
  readonly #gradients = new Map<string, Tensor>();
  readonly #order = new Set<string>();
  #lossSum: Tensor | undefined;
  supervisedTokens = 0;
  tokens = 0;
  /** Absent where no pass counted its rows. */
  rowCounts: RowCounts | undefined;

  /** A scalar, borrowed; undefined before the first micro-batch with supervised tokens. */
  get lossSum(): Tensor | undefined {
    return this.#lossSum;
  }

  /**
   * Says in which order gradients are handed over, whatever order they come in: backward makes the last layer's first.
   */
  expect(names: readonly string[]): void {
    for (const name of names) this.#order.add(name);
  }

  /** Takes ownership of `gradient`. */
  addGradient(name: string, gradient: Tensor): void {
    this.#gradients.set(name, sumOf(this.#gradients.get(name), gradient));
  }

  /** Borrows `loss`, a scalar. */
  addLoss(loss: Tensor): void {
    this.#lossSum = sumOf(this.#lossSum, tf.clone(loss));
  }

  /** Takes ownership of `loss`, a scalar, where there is none. */
  giveLoss(loss: Tensor): void {
    this.#lossSum = loss;
  }

  addRowCounts(counts: RowCounts | undefined): void {
    if (counts !== undefined) this.rowCounts = sumRowCounts(this.rowCounts, counts);
  }

  /** Hands a gradient over, which the caller then frees. */
  takeGradient(name: string): Tensor {
    const taken = this.#gradients.get(name)!;
    this.#gradients.delete(name);
    return taken;
  }

  /** Hands the gradients over, which the caller then frees. */
  takeGradients(): Map<string, Tensor> {
    const names = [...new Set([...this.#order, ...this.#gradients.keys()])].filter((name) => this.#gradients.has(name));
    const taken = new Map(names.map((name) => [name, this.#gradients.get(name) as Tensor]));
    this.#gradients.clear();
    return taken;
  }

  clear(): void {
    for (const gradient of this.#gradients.values()) gradient.dispose();
    this.#gradients.clear();
    this.#order.clear();
    this.#lossSum?.dispose();
    this.#lossSum = undefined;
    this.supervisedTokens = 0;
    this.tokens = 0;
    this.rowCounts = undefined;
  }
}

/** Both together. */
export function sumRowCounts(before: RowCounts | undefined, next: RowCounts): RowCounts {
  if (before === undefined) return next;
  return Object.fromEntries(
    Object.entries(next).map(([key, count]) => [key, before[key as keyof RowCounts] + (count as number)]),
  ) as unknown as RowCounts;
}

/** The sum; frees both. */
function sumOf(before: Tensor | undefined, next: Tensor): Tensor {
  if (before === undefined) return tf.keep(next);
  const sum = tf.keep(tf.add(before, next));
  before.dispose();
  next.dispose();
  return sum;
}
