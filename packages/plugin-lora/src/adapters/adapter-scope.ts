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

  protected override changes(parameter: string): boolean {
    return adapterOf(parameter, this.#options.adapters) !== undefined;
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
