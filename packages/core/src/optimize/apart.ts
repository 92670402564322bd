import { asFunction } from "@thaw/autograd";
import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Optimizer, SlotShapes, UpdateContext } from "../api/optimizer.js";
import { parameterOfSlot, slotName, updateNumbers, type Tensors, type UpdateNumbers } from "./numbers.js";

/** What a rule is given of one parameter's update. */
export interface ApartStep {
  readonly parameter: Tensor;
  readonly gradient: Tensor;
  /** By name, as `ApartRule.slots` says; zeros before the first update. */
  readonly slots: Tensors;
  /** What `ApartRule.scalars` made. */
  readonly scalars: Tensors;
}

/** An update rule that looks at a parameter as a whole: its shape, norms, products. */
export interface ApartRule {
  /** What a checkpoint notes; two rules of one name keep the same slots. */
  readonly name: string;
  /** Shape by name of what is kept of a parameter of this shape. */
  slots(shape: readonly number[]): SlotShapes;
  /**
   * Numbers of an update. Their names, with the parameter's shape, tell all that `step` does beside its inputs.
   */
  scalars(numbers: UpdateNumbers, shape: readonly number[]): Tensors;
  /** In the caller's tidy. */
  step(given: ApartStep): { readonly value: Tensor; readonly slots: Tensors };
}

/** Applies a rule to each parameter apart. */
export class ApartOptimizer implements Optimizer {
  readonly takesFactors = true;
  readonly #rule: ApartRule;
  readonly #slots = new Map<string, Tensors>();

  constructor(rule: ApartRule) {
    this.#rule = rule;
  }

  get name(): string {
    return this.#rule.name;
  }

  /** Slots of 0, filled by the backend, for parameters that have none. */
  prepare(parameters: ReadonlyMap<string, Tensor>): void {
    for (const [name, { shape }] of parameters) {
      if (this.#slots.has(name)) continue;
      const slots = Object.entries(this.#rule.slots(shape)).map(
        ([slot, own]) => [slot, tf.keep(tf.fill([...own], 0))] as const,
      );
      this.#slots.set(name, Object.fromEntries(slots));
    }
  }

  *update(
    parameters: ReadonlyMap<string, Tensor>,
    gradients: ReadonlyMap<string, Tensor>,
    context: UpdateContext,
  ): Generator<readonly [string, Tensor]> {
    this.prepare(new Map([...gradients.keys()].map((name) => [name, parameters.get(name)!])));
    for (const [name, gradient] of gradients) {
      const parameter = parameters.get(name)!;
      const before = this.#slots.get(name)!;
      yield [name, tf.tidy(() => this.#run(name, parameter, gradient, before, context))];
      tf.dispose(Object.values(before));
    }
  }

  slots(): ReadonlyMap<string, Tensor> {
    return new Map(
      [...this.#slots].flatMap(([name, slots]) =>
        Object.entries(slots).map(([slot, tensor]) => [slotName(name, slot), tensor] as const),
      ),
    );
  }

  slotShapes(parameter: string, shape: readonly number[]): ReadonlyMap<string, readonly number[]> {
    return new Map(Object.entries(this.#rule.slots(shape)).map(([slot, own]) => [slotName(parameter, slot), own]));
  }

  restore(slots: ReadonlyMap<string, Tensor>): void {
    for (const [slot, tensor] of slots) {
      const name = parameterOfSlot(slot);
      this.#slots.set(name, { ...this.#slots.get(name), [slot.slice(name.length + 1)]: tf.keep(tensor) });
    }
  }

  drop(names: Iterable<string>): void {
    for (const name of names) {
      tf.dispose(Object.values(this.#slots.get(name) ?? {}));
      this.#slots.delete(name);
    }
  }

  dispose(): void {
    this.drop([...this.#slots.keys()]);
  }

  /** The new value; the new slots are kept in place of those before. */
  #run(name: string, parameter: Tensor, gradient: Tensor, before: Tensors, context: UpdateContext): Tensor {
    const rule = this.#rule;
    const scalars = rule.scalars(updateNumbers(name, context), parameter.shape);
    const [slotNames, scalarNames] = [Object.keys(before), Object.keys(scalars)];
    const [value, ...slots] = asFunction(
      `${rule.name} ${scalarNames.join(" ")} ${parameter.shape.join("x")}`,
      [parameter, gradient, ...Object.values(before), ...Object.values(scalars)],
      ([own, slope, ...rest]) => {
        const done = rule.step({
          parameter: own!,
          gradient: slope!,
          slots: byName(slotNames, rest),
          scalars: byName(scalarNames, rest.slice(slotNames.length)),
        });
        return [done.value, ...slotNames.map((slot) => done.slots[slot]!)];
      },
      true,
    ) as [Tensor, ...Tensor[]];
    this.#slots.set(
      name,
      byName(
        slotNames,
        slots.map((tensor) => tf.keep(tensor)),
      ),
    );
    return value;
  }
}

function byName(names: readonly string[], tensors: readonly Tensor[]): Tensors {
  return Object.fromEntries(names.map((name, index) => [name, tensors[index]!]));
}
