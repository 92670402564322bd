import { linear, type Value } from "@thaw/autograd";
import type { Scope } from "@thaw/contracts";

/**
 * `Scope.linear` of weight and bias as the scope's own `parameter` gives them: what a scope that changes parameters
 * makes of a linear layer.
 */
export function linearLayer(scope: Pick<Scope, "parameter" | "hasParameter">, x: Value, name: string): Value {
  const bias = `${name}.bias`;
  return linear(x, scope.parameter(`${name}.weight`), scope.hasParameter(bias) ? scope.parameter(bias) : undefined);
}
