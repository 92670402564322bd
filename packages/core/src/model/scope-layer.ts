import type { Value } from "@thaw/autograd";
import type { FindOwners, Scope } from "@thaw/contracts";
import type { Tensor } from "@tensorflow/tfjs-core";

/**
 * A scope around another one, for plugins that tap the `scope` hook: passes everything on, and a subclass overrides
 * what it changes. What lets core leave out or join computations is passed on only where the subclass says that it
 * changes none of them: `stretch` by {@link changes}, `kept` by overriding it.
 */
export class ScopeLayer implements Scope {
  readonly training: boolean;
  protected readonly inner: Scope;

  constructor(inner: Scope) {
    this.training = inner.training;
    this.inner = inner;
  }

  parameter(name: string): Value {
    return this.inner.parameter(name);
  }

  hasParameter(name: string): boolean {
    return this.inner.hasParameter(name);
  }

  linear(x: Value, name: string): Value {
    return this.inner.linear(x, name);
  }

  segment(name: string, inputs: readonly Value[], run: (...inputs: Value[]) => Value): Value {
    return this.inner.segment(name, inputs, run);
  }

  constant(tensor: Tensor): Value {
    return this.inner.constant(tensor);
  }

  own(tensor: Tensor): Value {
    return this.inner.own(tensor);
  }

  shared(key: string, make: () => Tensor): Tensor {
    return this.inner.shared?.(key, make) ?? this.inner.own(make()).tensor;
  }

  /**
   * Joined by core where this layer changes none of the parameters that the stretch uses; computed the usual way
   * elsewhere.
   */
  stretch(
    key: string,
    inputs: readonly Value[],
    parameters: readonly string[],
    run: (scope: Scope, ...inputs: Value[]) => Value,
  ): Value {
    return this.inner.stretch === undefined || parameters.some((name) => this.changes(name))
      ? run(this, ...inputs)
      : this.inner.stretch(key, inputs, parameters, run);
  }

  owned<T>(owners: FindOwners, run: () => T): T {
    return this.inner.owned === undefined ? run() : this.inner.owned(owners, run);
  }

  /** Whether this layer may change what is computed of a parameter. Here: of every one. */
  protected changes(_parameter: string): boolean {
    return true;
  }
}
