import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Ensemble, LostRank } from "@thaw/core";
import { BrokenRing, type Engine } from "./engines/engine.js";
import type { Messages } from "./wire/messages.js";

/** Processes that tell each other by messages, and sum by an engine. */
export class ProcessEnsemble implements Ensemble {
  readonly rank: number;
  readonly size: number;
  readonly #messages: Messages;
  readonly #engine: Engine;
  readonly #onClose: () => Promise<void>;

  #isClosed = false;

  constructor(messages: Messages, engine: Engine, onClose: () => Promise<void>) {
    this.rank = messages.rank;
    this.size = messages.size;
    this.#messages = messages;
    this.#engine = engine;
    this.#onClose = onClose;
  }

  async sum(tensors: ReadonlyMap<string, Tensor>): Promise<ReadonlyMap<string, Tensor>> {
    const shapes = [...tensors].map(([name, { shape, size }]) => ({ name, shape, size }));
    // A buffer of its own: small arrays lie where the garbage collector moves them, and libraries keep the address
    const all = new Float32Array(new ArrayBuffer(4 * shapes.reduce((sum, { size }) => sum + size, 0)));
    let at = 0;
    for (const tensor of tensors.values()) {
      all.set(await tensor.data<"float32">(), at);
      at += tensor.size;
      tensor.dispose();
    }
    await this.#messages.guard(this.#engine.sum(all).catch((error: unknown) => this.#broken(error)));
    at = 0;
    const summed = new Map<string, Tensor>();
    for (const { name, shape, size } of shapes) {
      summed.set(name, tf.keep(tf.tensor(all.slice(at, at + size), shape, "float32")));
      at += size;
    }
    return summed;
  }

  /** A ring that is broken is told as the loss of a rank; that rank may have told the reason. */
  async #broken(error: unknown): Promise<never> {
    if (error instanceof BrokenRing) await this.#messages.guard(this.#messages.suspect(error.rank));
    throw error;
  }

  gather<T>(value: T): Promise<readonly T[]> {
    return this.#messages.gather(value);
  }

  async close(lost?: LostRank): Promise<void> {
    if (lost !== undefined) return this.#messages.lose(lost);
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#messages.close();
    await this.#engine.close();
    await this.#onClose();
  }
}
