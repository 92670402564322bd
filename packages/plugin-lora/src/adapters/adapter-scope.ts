import {
  add,
  dropout,
  linear,
  release,
  scale,
  type Scope,
  type ScopeContext,
  ScopeLayer,
  type Value,
} from "@thaw/core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { adapterOf, matrixNames, type Adapter } from "./adapter.js";
import { dropoutSeed } from "./dropout-seed.js";

/** What an {@link AdapterScope} is made of. */
export interface AdapterScopeOptions {
  /** By the name of their layer. */
  readonly adapters: ReadonlyMap<string, Adapter>;
  /** Segments none of whose layers has an adapter: what core keeps of them between passes stays as it is. */
  readonly plainSegments: ReadonlySet<string>;
  /** Of dropout. */
  readonly seed: number;
}

/**
 * A scope whose linear layers have adapters beside them. The base layer keeps nothing for backward; A keeps the layer's
 * input, B a `rank` wide one.
 */
export class AdapterScope extends ScopeLayer {
  readonly #options: AdapterScopeOptions;
  readonly #context: ScopeContext;

  constructor(inner: Scope, options: AdapterScopeOptions, context: ScopeContext) {
    super(inner);
    this.#options = options;
    this.#context = context;
  }

  kept(segment: string, key: string, make: () => readonly Tensor[]): readonly Tensor[] | undefined {
    return this.#options.plainSegments.has(segment) ? this.inner.kept?.(segment, key, make) : undefined;
  }

  /** Joined with the adapters that are in it, but where dropout makes each pass another one. */
  override stretch(
    key: string,
    inputs: readonly Value[],
    parameters: readonly string[],
    run: (scope: Scope, ...inputs: Value[]) => Value,
  ): Value {
    const adapted = parameters.flatMap((name, place) => {
      const adapter = adapterOf(name, this.#options.adapters);
      return adapter === undefined ? [] : [{ adapter, place }];
    });
    if (this.inner.stretch === undefined || adapted.some(({ adapter }) => adapter.dropout > 0))
      return run(this, ...inputs);
    const names = adapted.flatMap(({ adapter }) => Object.values(matrixNames(adapter.module)));
    const scalings = adapted.map(({ adapter, place }) => `${place} by ${adapter.scaling}, `).join("");
    return this.inner.stretch(
      adapted.length === 0 ? key : `with adapters of ${scalings}${key}`,
      inputs,
      [...parameters, ...names],
      (within, ...given) => run(new AdapterScope(within, this.#options, this.#context), ...given),
    );
  }

  override linear(x: Value, name: string): Value {
    const base = this.inner.linear(x, name);
    const adapter = this.#options.adapters.get(name);
    if (adapter === undefined) return base;
    const names = matrixNames(name);
    const [a, b] = [this.inner.parameter(names.a), this.inner.parameter(names.b)];
    const seen =
      a.needsGradient && adapter.dropout > 0
        ? dropout(x, adapter.dropout, dropoutSeed(this.#options.seed, this.#context, name))
        : x;
    const low = linear(seen, a);
    const scaled = scale(low, adapter.scaling);
    const delta = linear(scaled, b);
    const sum = add(base, delta);
    release(base, low, scaled, delta, ...(seen === x ? [] : [seen]));
    return sum;
  }
}
