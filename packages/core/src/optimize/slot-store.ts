import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { joinTensors, partTensor } from "./join.js";

/** Slots in the order of their rule: of one parameter, or of several that lie end to end. */
export type Slots = readonly Tensor[];

interface Pack {
  readonly names: readonly string[];
  readonly shapes: readonly (readonly number[])[];
  readonly slots: Slots;
}

/**
 * An optimizer's slots by parameter name, each of the parameter's own shape. Those of parameters that are updated
 * together stay joined from step to step, and are taken apart when another set is updated, or when slots are asked for.
 */
export class SlotStore {
  readonly #packs = new Set<Pack>();
  readonly #packOf = new Map<string, Pack>();

  has(name: string): boolean {
    return this.#packOf.has(name);
  }

  get names(): readonly string[] {
    return [...this.#packOf.keys()];
  }

  /** The slots of these parameters, which all have some, joined as `joinTensors` does; the caller frees them. */
  take(names: readonly string[]): Slots {
    const first = this.#packOf.get(names[0]!)!;
    if (first.names.length === names.length && names.every((name, index) => first.names[index] === name)) {
      this.#forget(first);
      return first.slots;
    }
    const parts = names.map((name) => this.#single(name));
    for (const pack of parts) this.#forget(pack);
    if (parts.length === 1) return parts[0]!.slots;
    const joined = parts[0]!.slots.map((_, slot) => tf.keep(joinTensors(parts.map(({ slots }) => slots[slot]!))));
    for (const { slots } of parts) tf.dispose([...slots]);
    return joined;
  }

  /** Keeps joined slots of parameters that have none now. */
  put(names: readonly string[], shapes: readonly (readonly number[])[], slots: Slots): void {
    const pack = { names, shapes, slots: slots.map((tensor) => tf.keep(tensor)) };
    this.#packs.add(pack);
    for (const name of names) this.#packOf.set(name, pack);
  }

  /** Each parameter's own; borrowed. */
  each(): readonly { readonly name: string; readonly slots: Slots }[] {
    return this.names.map((name) => ({ name, slots: this.#single(name).slots }));
  }

  drop(names: Iterable<string>): void {
    for (const name of names) {
      if (!this.has(name)) continue;
      const pack = this.#single(name);
      this.#forget(pack);
      tf.dispose([...pack.slots]);
    }
  }

  /** The pack of this parameter alone; takes the one apart in which it lies with others. */
  #single(name: string): Pack {
    const pack = this.#packOf.get(name)!;
    if (pack.names.length === 1) return pack;
    const parts = pack.slots.map((tensor) => tf.tidy(() => partTensor(tensor, pack.shapes)));
    this.#forget(pack);
    pack.names.forEach((one, index) => {
      this.put(
        [one],
        [pack.shapes[index]!],
        parts.map((of) => of[index]!),
      );
    });
    tf.dispose([...pack.slots]);
    return this.#packOf.get(name)!;
  }

  #forget(pack: Pack): void {
    this.#packs.delete(pack);
    for (const name of pack.names) this.#packOf.delete(name);
  }
}
