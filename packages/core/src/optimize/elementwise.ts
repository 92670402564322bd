import { asFunction } from "@thaw/autograd";
import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Optimizer, UpdateContext } from "../api/optimizer.js";
import { joinable, joinedZeros, joinTensors, partTensor } from "./join.js";
import { parameterOfSlot, slotName, updateNumbers, type Tensors, type UpdateNumbers } from "./numbers.js";
import { SlotStore, type Slots } from "./slot-store.js";

/** What fits into a processor's cache: beyond it joining costs more than an op there. */
const JOIN_BYTES = 1 << 15;

/** What an elementwise rule is given of one update. */
export interface ElementwiseStep {
  readonly parameter: Tensor;
  readonly gradient: Tensor;
  /** In the order of `ElementwiseRule.slots`; zeros before the first update. */
  readonly slots: Slots;
  /** What `ElementwiseRule.scalars` made. */
  readonly scalars: Tensors;
}

/** An update rule that treats every number by itself, with slots of the parameter's shape. */
export interface ElementwiseRule {
  /** What a checkpoint notes; two rules of one name keep the same slots. */
  readonly name: string;
  readonly slots: readonly string[];
  /**
   * Numbers of an update, made once for all parameters that share them. Their names tell all that `step` does beside
   * its inputs: one that is absent is another rule.
   */
  scalars(numbers: UpdateNumbers): Tensors;
  /** In the caller's tidy. */
  step(given: ElementwiseStep): { readonly value: Tensor; readonly slots: Slots };
}

/**
 * Applies an elementwise rule. Small parameters with equal numbers are updated as one (vectors end to end, matrices of
 * one shape stacked): on a GPU an op costs more than the arithmetic of a small tensor. The results are the same to the
 * last bit.
 */
export class ElementwiseOptimizer implements Optimizer {
  readonly takesFactors = true;
  readonly #rule: ElementwiseRule;
  readonly #joinBytes: number;
  readonly #store = new SlotStore();

  /** `joinBytes`: see `Backend`. */
  constructor(rule: ElementwiseRule, { joinBytes = JOIN_BYTES }: { readonly joinBytes?: number | undefined } = {}) {
    this.#rule = rule;
    this.#joinBytes = joinBytes;
  }

  get name(): string {
    return this.#rule.name;
  }

  /** Slots of 0 for parameters that have none, joined as they are going to be updated. */
  prepare(parameters: ReadonlyMap<string, Tensor>, context: UpdateContext): void {
    const fresh = [...parameters.keys()].filter((name) => !this.#store.has(name));
    if (fresh.length === 0) return;
    for (const names of joinable(fresh, (name) => parameters.get(name)!.shape, rateKeys(context), this.#joinBytes)) {
      const shapes = names.map((name) => parameters.get(name)!.shape);
      this.#store.put(
        names,
        shapes,
        this.#rule.slots.map(() => joinedZeros(shapes)),
      );
    }
  }

  *update(
    parameters: ReadonlyMap<string, Tensor>,
    gradients: ReadonlyMap<string, Tensor>,
    context: UpdateContext,
  ): Generator<readonly [string, Tensor]> {
    this.prepare(new Map([...gradients.keys()].map((name) => [name, parameters.get(name)!])), context);
    const keyOf = rateKeys(context);
    const known = new Map<string, Tensors>();
    for (const names of joinable(gradients.keys(), (name) => gradients.get(name)!.shape, keyOf, this.#joinBytes)) {
      const shapes = names.map((name) => gradients.get(name)!.shape);
      const key = keyOf(names[0]!);
      if (!known.has(key)) known.set(key, this.#rule.scalars(updateNumbers(names[0]!, context)));
      const before = this.#store.take(names);
      const next = tf.tidy(() => {
        const given = [parameters, gradients].flatMap((map) => names.map((name) => map.get(name)!));
        const [slots, values] = this.#run(given, before, known.get(key)!, shapes);
        this.#store.put(names, shapes, slots);
        return [...values];
      });
      tf.dispose([...before]);
      for (const [index, name] of names.entries()) yield [name, next[index]!];
    }
  }

  slots(): ReadonlyMap<string, Tensor> {
    return new Map(
      this.#store
        .each()
        .flatMap(({ name, slots }) =>
          this.#rule.slots.map((slot, index) => [slotName(name, slot), slots[index]!] as const),
        ),
    );
  }

  slotShapes(parameter: string, shape: readonly number[]): ReadonlyMap<string, readonly number[]> {
    return new Map(this.#rule.slots.map((slot) => [slotName(parameter, slot), shape]));
  }

  /** Slots are whole, as {@link slotShapes} says. */
  restore(slots: ReadonlyMap<string, Tensor>): void {
    for (const name of new Set([...slots.keys()].map(parameterOfSlot))) {
      const own = this.#rule.slots.map((slot) => slots.get(slotName(name, slot))!);
      this.#store.put([name], [own[0]!.shape], own);
    }
  }

  drop(names: Iterable<string>): void {
    this.#store.drop(names);
  }

  dispose(): void {
    this.#store.drop(this.#store.names);
  }

  /** One update of parameters that are joined: new slots, and the values apart. */
  #run(
    given: readonly Tensor[],
    before: Slots,
    scalars: Tensors,
    shapes: readonly (readonly number[])[],
  ): readonly [Slots, readonly Tensor[]] {
    const rule = this.#rule;
    const scalarNames = Object.keys(scalars);
    const results = asFunction(
      `${rule.name} ${scalarNames.join(" ")}`,
      [...given, ...before, ...Object.values(scalars)],
      (inputs) => {
        const count = shapes.length;
        const rest = inputs.slice(2 * count);
        const done = rule.step({
          parameter: joinTensors(inputs.slice(0, count)),
          gradient: joinTensors(inputs.slice(count, 2 * count)),
          slots: rest.slice(0, before.length),
          scalars: Object.fromEntries(scalarNames.map((name, index) => [name, rest[before.length + index]!])),
        });
        return [...done.slots, ...partTensor(done.value, shapes)];
      },
      true,
    );
    return [results.slice(0, before.length), results.slice(before.length)];
  }
}

/** Equal for parameters that are updated with the same numbers. */
function rateKeys({ updatesOf, rates, factorOf }: UpdateContext): (name: string) => string {
  const factors = new Map<Tensor | undefined, number>();
  return (name) => {
    const { learningRate, weightDecay } = rates(name);
    const factor = factorOf?.(name);
    if (!factors.has(factor)) factors.set(factor, factors.size);
    return `${updatesOf(name)}/${learningRate}/${weightDecay}/${factors.get(factor)}`;
  };
}
