import {
  add,
  dropout,
  type FindOwners,
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
import { dropoutSeed, rowSeeds } from "./dropout-seed.js";

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
  /** Of the layers that run now. */
  #owners: FindOwners | undefined;

  constructor(inner: Scope, options: AdapterScopeOptions, context: ScopeContext) {
    super(inner);
    this.#options = options;
    this.#context = context;
  }

  kept(segment: string, key: string, make: () => readonly Tensor[]): readonly Tensor[] | undefined {
    return this.#options.plainSegments.has(segment) ? this.inner.kept?.(segment, key, make) : undefined;
  }

  override owned<T>(owners: FindOwners, run: () => T): T {
    return super.owned(owners, () => this.#among(owners, run));
  }

  /** Whose rows are whose is known again where a block is computed again in backward. */
  override segment(name: string, inputs: readonly Value[], run: (...inputs: Value[]) => Value): Value {
    const owners = this.#owners;
    return super.segment(name, inputs, (...given) => this.#among(owners, () => run(...given)));
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
    const seen = a.needsGradient && adapter.dropout > 0 ? dropout(x, adapter.dropout, this.#seeds(x, name)) : x;
    const low = linear(seen, a);
    const scaled = scale(low, adapter.scaling);
    const delta = linear(scaled, b);
    const sum = add(base, delta);
    release(base, low, scaled, delta, ...(seen === x ? [] : [seen]));
    return sum;
  }

  #among<T>(owners: FindOwners | undefined, run: () => T): T {
    const before = this.#owners;
    this.#owners = owners;
    try {
      return run();
    } finally {
      this.#owners = before;
    }
  }

  /** By row, or one for all where it is not known whose the rows are. */
  #seeds(x: Value, module: string): number | Int32Array {
    const { step, samples } = this.#context;
    const owners = this.#owners?.(x.shape.slice(0, -1).reduce((product, size) => product * size, 1));
    return owners === undefined || samples === undefined
      ? dropoutSeed(this.#options.seed, this.#context, module)
      : rowSeeds(this.#options.seed, { step, samples }, module, owners);
  }
}
