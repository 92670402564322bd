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
import { matrixNames, type Adapter } from "./adapter.js";
import { dropoutSeed } from "./dropout-seed.js";

/**
 * A scope whose linear layers have adapters beside them. The base layer keeps nothing for backward; A keeps the layer's
 * input, B a `rank` wide one.
 */
export class AdapterScope extends ScopeLayer {
  readonly #adapters: ReadonlyMap<string, Adapter>;
  readonly #context: ScopeContext;
  readonly #seed: number;

  constructor(inner: Scope, adapters: ReadonlyMap<string, Adapter>, context: ScopeContext, seed: number) {
    super(inner);
    this.#adapters = adapters;
    this.#context = context;
    this.#seed = seed;
  }

  override linear(x: Value, name: string): Value {
    const base = this.inner.linear(x, name);
    const adapter = this.#adapters.get(name);
    if (adapter === undefined) return base;
    const names = matrixNames(name);
    const [a, b] = [this.inner.parameter(names.a), this.inner.parameter(names.b)];
    const seen =
      a.needsGradient && adapter.dropout > 0
        ? dropout(x, adapter.dropout, dropoutSeed(this.#seed, this.#context, name))
        : x;
    const low = linear(seen, a);
    const scaled = scale(low, adapter.scaling);
    const delta = linear(scaled, b);
    const sum = add(base, delta);
    release(base, low, scaled, delta, ...(seen === x ? [] : [seen]));
    return sum;
  }
}
