import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { sumOfSquares } from "../optimize/clip.js";

/** L2 norms by component, of sums of squares by parameter that are still to be scaled. */
export function normsByComponent(
  squares: ReadonlyMap<string, number>,
  owners: ReadonlyMap<string, string>,
  scale: number,
): Readonly<Record<string, number>> {
  const sums = new Map<string, number>();
  for (const [name, square] of squares) {
    const component = owners.get(name);
    if (component !== undefined) sums.set(component, (sums.get(component) ?? 0) + square);
  }
  return Object.fromEntries([...sums].map(([component, sum]) => [component, Math.sqrt(sum) * scale]));
}

/**
 * How much an update changes each component against what it was: sums of squares on the device, read once.
 */
export class UpdateSizes {
  readonly #owners: ReadonlyMap<string, string>;
  readonly #names: string[] = [];
  readonly #squares: Tensor[] = [];

  constructor(owners: ReadonlyMap<string, string>) {
    this.#owners = owners;
  }

  /** Borrows both tensors. */
  add(name: string, before: Tensor, after: Tensor): void {
    const component = this.#owners.get(name);
    if (component === undefined) return;
    this.#names.push(component);
    this.#squares.push(tf.keep(tf.tidy(() => sumOfSquares(tf.sub(after, before)))), tf.keep(sumOfSquares(before)));
  }

  /** L2 of the change over L2 before it, by component; a component of zeros has none. */
  async read(): Promise<Readonly<Record<string, number>>> {
    if (this.#squares.length === 0) return {};
    const all = tf.stack(this.#squares);
    try {
      const squares = await all.data();
      const sums = new Map<string, [number, number]>();
      for (const [index, component] of this.#names.entries()) {
        const [change, whole] = sums.get(component) ?? [0, 0];
        sums.set(component, [change + squares[2 * index]!, whole + squares[2 * index + 1]!]);
      }
      return Object.fromEntries(
        [...sums].flatMap(([component, [change, whole]]) =>
          whole > 0 ? [[component, Math.sqrt(change / whole)]] : [],
        ),
      );
    } finally {
      all.dispose();
    }
  }

  /** Frees what was added. */
  dispose(): void {
    tf.dispose(this.#squares);
    this.#squares.length = 0;
  }
}
