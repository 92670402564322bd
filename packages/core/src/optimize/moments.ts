import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { joinTensors, partTensor } from "./join.js";

/** First and second moment: of one parameter, or of several that lie end to end. */
export interface Moments {
  readonly m: Tensor;
  readonly v: Tensor;
}

interface Pack extends Moments {
  readonly names: readonly string[];
  readonly shapes: readonly (readonly number[])[];
}

/**
 * Moments by parameter name. Those of parameters that are updated together stay joined from step to step, and are taken
 * apart when another set is updated, or when slots are asked for.
 */
export class MomentStore {
  readonly #packs = new Set<Pack>();
  readonly #packOf = new Map<string, Pack>();

  has(name: string): boolean {
    return this.#packOf.has(name);
  }

  /** The moments of these parameters, which all have some, joined as `joinTensors` does; the caller frees them. */
  take(names: readonly string[]): Moments {
    const first = this.#packOf.get(names[0]!)!;
    if (first.names.length === names.length && names.every((name, index) => first.names[index] === name)) {
      this.#forget(first);
      return { m: first.m, v: first.v };
    }
    const parts = names.map((name) => this.#single(name));
    for (const pack of parts) this.#forget(pack);
    if (parts.length === 1) return parts[0]!;
    const joined = {
      m: tf.keep(joinTensors(parts.map(({ m }) => m))),
      v: tf.keep(joinTensors(parts.map(({ v }) => v))),
    };
    for (const { m, v } of parts) tf.dispose([m, v]);
    return joined;
  }

  /** Keeps joined moments of parameters that have none now. */
  put(names: readonly string[], shapes: readonly (readonly number[])[], { m, v }: Moments): void {
    const pack = { names, shapes, m: tf.keep(m), v: tf.keep(v) };
    this.#packs.add(pack);
    for (const name of names) this.#packOf.set(name, pack);
  }

  /** Each parameter's own; borrowed. */
  each(): readonly (Moments & { readonly name: string })[] {
    const names = [...this.#packOf.keys()];
    return names.map((name) => ({ name, ...this.#single(name) }));
  }

  drop(names: Iterable<string>): void {
    for (const name of names) {
      if (!this.has(name)) continue;
      const { m, v } = this.#take(name);
      tf.dispose([m, v]);
    }
  }

  #take(name: string): Moments {
    const pack = this.#single(name);
    this.#forget(pack);
    return pack;
  }

  /** The pack of this parameter alone; takes the one apart in which it lies with others. */
  #single(name: string): Pack {
    const pack = this.#packOf.get(name)!;
    if (pack.names.length === 1) return pack;
    const [ms, vs] = [pack.m, pack.v].map((tensor) => tf.tidy(() => partTensor(tensor, pack.shapes)));
    this.#forget(pack);
    pack.names.forEach((one, index) => {
      this.put([one], [pack.shapes[index]!], { m: ms![index]!, v: vs![index]! });
    });
    tf.dispose([pack.m, pack.v]);
    return this.#packOf.get(name)!;
  }

  #forget(pack: Pack): void {
    this.#packs.delete(pack);
    for (const name of pack.names) this.#packOf.delete(name);
  }
}
