import type { Tensor } from "@tensorflow/tfjs-core";
import type { Optimizer, UpdateContext } from "../api/optimizer.js";
import { parameterOfSlot } from "./numbers.js";

/** Gives each parameter to one of several optimizers, by its name. All of them take factors. */
export class RoutedOptimizer<Route extends string> implements Optimizer {
  readonly name: string;
  readonly takesFactors = true;
  readonly #routes: Readonly<Record<Route, Optimizer>>;
  readonly #routeOf: (parameter: string) => Route;

  constructor(name: string, routes: Readonly<Record<Route, Optimizer>>, routeOf: (parameter: string) => Route) {
    this.name = name;
    this.#routes = routes;
    this.#routeOf = routeOf;
  }

  prepare(parameters: ReadonlyMap<string, Tensor>, context: UpdateContext): void {
    for (const [optimizer, own] of this.#parted(parameters, (name) => name)) optimizer.prepare?.(own, context);
  }

  *update(
    parameters: ReadonlyMap<string, Tensor>,
    gradients: ReadonlyMap<string, Tensor>,
    context: UpdateContext,
  ): Generator<readonly [string, Tensor]> {
    for (const [optimizer, own] of this.#parted(gradients, (name) => name))
      yield* optimizer.update(parameters, own, context);
  }

  slots(): ReadonlyMap<string, Tensor> {
    return new Map(this.#all.flatMap((optimizer) => [...optimizer.slots()]));
  }

  slotShapes(parameter: string, shape: readonly number[]): ReadonlyMap<string, readonly number[]> {
    return this.#optimizerOf(parameter).slotShapes!(parameter, shape);
  }

  restore(slots: ReadonlyMap<string, Tensor>): void {
    for (const [optimizer, own] of this.#parted(slots, parameterOfSlot)) optimizer.restore(own);
  }

  drop(names: Iterable<string>): void {
    for (const name of names) this.#optimizerOf(name).drop([name]);
  }

  dispose(): void {
    for (const optimizer of this.#all) optimizer.dispose();
  }

  get #all(): readonly Optimizer[] {
    return Object.values(this.#routes);
  }

  #optimizerOf(parameter: string): Optimizer {
    return this.#routes[this.#routeOf(parameter)];
  }

  #parted(
    tensors: ReadonlyMap<string, Tensor>,
    parameterOf: (key: string) => string,
  ): ReadonlyMap<Optimizer, Map<string, Tensor>> {
    const parts = new Map<Optimizer, Map<string, Tensor>>();
    for (const [key, tensor] of tensors) {
      const optimizer = this.#optimizerOf(parameterOf(key));
      const own = parts.get(optimizer) ?? new Map<string, Tensor>();
      parts.set(optimizer, own.set(key, tensor));
    }
    return parts;
  }
}
