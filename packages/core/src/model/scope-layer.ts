import type { Value } from "@thaw/autograd";
import type { Scope } from "@thaw/contracts";
import type { Tensor } from "@tensorflow/tfjs-core";

/**
 * A scope around another one, for plugins that tap the `scope` hook: passes everything on, and a subclass overrides
 * what it changes. What lets core leave out or join computations (`kept`, `stretch`) is not passed on, since the
 * subclass may change what these compute.
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
}
