import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { deviceMemory, type DeviceMemory, type Ensemble, type LostRank } from "@thaw/core";
import { CardBuffers } from "./engines/card-buffers.js";
import { BrokenRing, type DeviceEngine, type Engine } from "./engines/engine.js";
import type { Messages } from "./wire/messages.js";

/**
 * Markers count up from these bits, numbers about 9e15: memory that is used again may hold any number of a model, and 1
 * or 2 it holds often.
 */
const FIRST_MARK = 0x5a_00_00_00;
const MARK_COUNT = 2 ** 24;

/** What sums on a card are made with, and the rank that alone gets them; undefined: all do. */
interface CardSum {
  readonly device: DeviceEngine;
  readonly memory: DeviceMemory;
  readonly owner: number | undefined;
}

/** Processes that tell each other by messages, and sum by an engine. */
export class ProcessEnsemble implements Ensemble {
  readonly rank: number;
  readonly size: number;
  readonly #messages: Messages;
  readonly #engine: Engine;
  readonly #onClose: () => Promise<void>;

  /** The sum before, whatever became of it: sums of the host are made one after the other. */
  #before: Promise<unknown> = Promise.resolve();
  #marks = 0;
  #isClosed = false;

  constructor(messages: Messages, engine: Engine, onClose: () => Promise<void>) {
    this.rank = messages.rank;
    this.size = messages.size;
    this.#messages = messages;
    this.#engine = engine;
    this.#onClose = onClose;
  }

  sum(tensors: ReadonlyMap<string, Tensor>): Promise<ReadonlyMap<string, Tensor>> {
    return this.#sum(tensors);
  }

  /** `owner`: the rank that alone gets the sums; undefined: all do. */
  #sum(tensors: ReadonlyMap<string, Tensor>, owner?: number): Promise<ReadonlyMap<string, Tensor>> {
    const { device } = this.#engine;
    const memory = device === undefined ? undefined : deviceMemory();
    if (memory !== undefined) return this.#sumOnCard(tensors, { device: device!, memory, owner });
    const sum = this.#before.then(() => this.#sumOnHost(tensors, owner));
    this.#before = sum.catch(() => undefined);
    return sum;
  }

  sumFor(owner: number, tensors: ReadonlyMap<string, Tensor>): Promise<ReadonlyMap<string, Tensor>> {
    return this.#sum(tensors, owner);
  }

  advance(): void {
    this.#engine.advance?.();
  }

  async #sumOnHost(
    tensors: ReadonlyMap<string, Tensor>,
    owner: number | undefined,
  ): Promise<ReadonlyMap<string, Tensor>> {
    const shapes = [...tensors].map(([name, { shape, size }]) => ({ name, shape, size }));
    // A buffer of its own: small arrays lie where the garbage collector moves them, and libraries keep the address
    const all = new Float32Array(new ArrayBuffer(4 * shapes.reduce((sum, { size }) => sum + size, 0)));
    let at = 0;
    for (const tensor of tensors.values()) {
      all.set(await tensor.data<"float32">(), at);
      at += tensor.size;
      tensor.dispose();
    }
    const engine = this.#engine;
    const work = owner === undefined || engine.sumFor === undefined ? engine.sum(all) : engine.sumFor(owner, all);
    await this.#messages.guard(work.catch((error: unknown) => this.#broken(error)));
    if (owner !== undefined && owner !== this.rank) return new Map();
    at = 0;
    const summed = new Map<string, Tensor>();
    for (const { name, shape, size } of shapes) {
      summed.set(name, tf.keep(tf.tensor(all.slice(at, at + size), shape, "float32")));
      at += size;
    }
    return summed;
  }

  /**
   * Up to its first wait this runs at once, so that the work is queued behind what computes the numbers: joining them,
   * and the marker after them.
   */
  async #sumOnCard(
    tensors: ReadonlyMap<string, Tensor>,
    { device, memory, owner }: CardSum,
  ): Promise<ReadonlyMap<string, Tensor>> {
    const hasSums = owner === undefined || owner === this.rank;
    const card = new CardBuffers([...tensors.values()], hasSums);
    this.#marks = (this.#marks + 1) % MARK_COUNT;
    const bits = FIRST_MARK + this.#marks;
    const marker = tf.keep(tf.fill([1], new Float32Array(Uint32Array.of(bits).buffer)[0]!));
    const { buffers } = card;
    const places = memory.addresses([...buffers.flatMap(({ from, to }) => [from, to]), marker]);
    const parts = buffers.flatMap(({ from: { size } }, index) =>
      size === 0 ? [] : [{ from: places[2 * index]!, to: places[2 * index + 1]!, count: size }],
    );
    // What others have the sums of goes at once, also in the middle of a backward pass
    const onDone = (): void => (hasSums ? undefined : card.dispose());
    const work = device.sum({ parts, owner, onDone, marker: { address: places.at(-1)!, bits } });
    const done = work.finally(() => marker.dispose());
    try {
      await this.#messages.guard(done);
    } catch (error) {
      // The card may be at work until the engine is closed, which ends that
      void done.catch(() => undefined).then(() => card.dispose());
      throw error;
    }
    if (!hasSums) return new Map();
    const sums = card.sums();
    return new Map([...tensors.keys()].map((name, index) => [name, sums[index]!]));
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
