import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/**
 * Transposed copies of frozen weights, for backends that multiply plain 2-D matrices much faster than transposed ones
 * (WASM). Shared by all tapes of a run; keyed by the weight's tensor. Whoever makes the cache disposes it.
 */
export class LayoutCache {
  #copies = new Map<Tensor, Tensor>();
  #bytes = 0;

  /** Size of all copies held now, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * The copy `[columns, rows]` of `weight [rows, columns]`, made at the first call. Borrowed: the cache disposes it.
   */
  transposed(weight: Tensor): Tensor {
    const known = this.#copies.get(weight);
    if (known !== undefined) return known;
    this.#forgetDisposed();
    const copy = tf.keep(tf.transpose(weight));
    this.#copies.set(weight, copy);
    this.#bytes += copy.size * 4;
    return copy;
  }

  /** Frees the copy of a weight that changes, is dropped or starts to train. Nothing happens if there is none. */
  forget(weight: Tensor): void {
    const copy = this.#copies.get(weight);
    if (copy === undefined) return;
    this.#copies.delete(weight);
    this.#bytes -= copy.size * 4;
    copy.dispose();
  }

  /** Frees all copies; the cache stays usable. */
  dispose(): void {
    for (const weight of this.#copies.keys()) this.forget(weight);
  }

  #forgetDisposed(): void {
    for (const weight of this.#copies.keys()) if (weight.isDisposed) this.forget(weight);
  }
}
