import { elementCount, type ParameterInfo } from "@thaw/contracts";
import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Optimizer, UpdateContext } from "../api/optimizer.js";
import type { SavedTensor } from "../checkpoint/write-checkpoint.js";
import { agree, type Ensemble } from "./ensemble.js";
import { inBuckets } from "./gradient-buckets.js";

/**
 * An optimizer of several ranks, of which each keeps the state of its own share of the parameters, whole ones, updates
 * these, and gives the new values to the others: stage 1 of ZeRO (Rajbhandari et al., arXiv:1910.02054, section 5.1);
 * of stage 2 where gradients too are summed for their {@link ownerOf} alone.
 * What is called here is called by every rank, but for {@link slots}, which are the rank's own.
 */
export class ShardedOptimizer implements Optimizer {
  readonly takesFactors: boolean;
  readonly #inner: Optimizer;
  readonly #ensemble: Ensemble;
  readonly #ownerOf: ReadonlyMap<string, number>;

  /** `parameters`: all that ever train, in an order that is the same on every rank. */
  constructor(inner: Optimizer, ensemble: Ensemble, parameters: readonly ParameterInfo[]) {
    this.#inner = inner;
    this.#ensemble = ensemble;
    this.#ownerOf = shareOut(parameters, ensemble.size);
    this.takesFactors = inner.takesFactors === true;
  }

  get name(): string {
    return this.#inner.name;
  }

  /** The rank that updates it and keeps its state. */
  ownerOf(name: string): number {
    return this.#ownerOf.get(name)!;
  }

  /** True if this rank updates it and keeps its state. */
  owns(name: string): boolean {
    return this.#ownerOf.get(name) === this.#ensemble.rank;
  }

  prepare(parameters: ReadonlyMap<string, Tensor>, context: Omit<UpdateContext, "factorOf">): void {
    this.#inner.prepare?.(this.#own(parameters), context);
  }

  /** New values of the rank's own, which {@link share} gives to the others. */
  update(
    parameters: ReadonlyMap<string, Tensor>,
    gradients: ReadonlyMap<string, Tensor>,
    context: UpdateContext,
  ): Iterable<readonly [name: string, value: Tensor]> {
    return this.#inner.update(this.#own(parameters), this.#own(gradients), context);
  }

  /**
   * Gives new values, of which this rank has its own, to all: `set` is told of every parameter's, and owns it. Takes
   * `values` over; they are sent a bucket at a time, as sums with the zeros of others. @throws THAW_CORE_RANK_LOST
   */
  async share(
    values: Map<string, Tensor>,
    before: ReadonlyMap<string, Tensor>,
    set: (name: string, value: Tensor) => void,
  ): Promise<void> {
    for (const names of inBuckets([...before.keys()], (name) => before.get(name)!.shape)) {
      const given = new Map(names.map((name) => [name, this.#given(values.get(name), before.get(name)!, name)]));
      for (const name of names) values.delete(name);
      for (const [name, value] of await this.#ensemble.sum(given)) set(name, value);
    }
  }

  /**
   * Has `save` write the slots of all ranks, if rank 0 says that it is time: rank 0 alone writes, and asks for one
   * after the other, so that none ever has all of them in memory. @throws THAW_CORE_RANK_LOST and what `save` throws
   */
  async save(isDue: boolean, save: (slots: ReadonlyMap<string, SavedTensor>) => Promise<void>): Promise<void> {
    if (!(await agree(this.#ensemble, isDue))) return;
    const own = this.#inner.slots();
    const shapes = [...own].map(([name, { shape }]) => [name, shape] as const);
    const slots = (await this.#ensemble.gather(shapes)).flat();
    let read = 0;
    const next = async (): Promise<Float32Array> => {
      const [name, shape] = slots[read++]!;
      const slot = own.get(name);
      const given = tf.keep(slot === undefined ? tf.fill([...shape], 0) : tf.add(slot, 0));
      const sum = (await this.#ensemble.sum(new Map([[name, given]]))).get(name)!;
      try {
        return await sum.data<"float32">();
      } finally {
        sum.dispose();
      }
    };
    if (this.#ensemble.rank === 0) await save(new Map(slots.map(([name, shape]) => [name, { shape, data: next }])));
    // All of them, unless there was nothing to write: other ranks give each once
    while (read < slots.length) await next();
  }

  slots(): ReadonlyMap<string, Tensor> {
    return this.#inner.slots();
  }

  slotShapes(parameter: string, shape: readonly number[]): ReadonlyMap<string, readonly number[]> {
    return this.#inner.slotShapes?.(parameter, shape) ?? new Map();
  }

  /** Takes the rank's own. */
  restore(slots: ReadonlyMap<string, Tensor>): void {
    this.#inner.restore(slots);
  }

  drop(names: Iterable<string>): void {
    this.#inner.drop([...names].filter((name) => this.owns(name)));
  }

  dispose(): void {
    this.#inner.dispose();
  }

  #own(tensors: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> {
    return new Map([...tensors].filter(([name]) => this.owns(name)));
  }

  /** An optimizer may leave a parameter as it is. */
  #given(value: Tensor | undefined, before: Tensor, name: string): Tensor {
    if (value !== undefined) return value;
    return tf.keep(this.owns(name) ? tf.add(before, 0) : tf.zerosLike(before));
  }
}

/** Of these parameters, those whose state this rank keeps. */
export function ownedBy(optimizer: Optimizer, names: ReadonlySet<string>): ReadonlySet<string> {
  if (!(optimizer instanceof ShardedOptimizer)) return names;
  return new Set([...names].filter((name) => optimizer.owns(name)));
}

/** Rank by name: the largest first, each to the rank that has the fewest numbers so far. */
function shareOut(parameters: readonly ParameterInfo[], size: number): ReadonlyMap<string, number> {
  const loads = Array.from({ length: size }, () => 0);
  const owners = new Map<string, number>();
  const sized = parameters.map(({ name, shape }) => [name, elementCount(shape)] as const);
  for (const [name, count] of sized.toSorted(([, a], [, b]) => b - a)) {
    const least = loads.indexOf(Math.min(...loads));
    owners.set(name, least);
    loads[least]! += count;
  }
  return owners;
}
