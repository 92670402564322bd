import type { ParameterSpec } from "../contract/family.js";

/**
 * Parameters of a layer that `forward` computes by `Scope.linear`, and nowhere else: `weight [out, in]` and, if it has
 * one, `bias [out]`.
 */
export function linearSpecs(
  name: string,
  inputs: number,
  outputs: number,
  hasBias: boolean,
  role: ParameterSpec["role"] = "linear",
): readonly ParameterSpec[] {
  const weight: ParameterSpec = { name: `${name}.weight`, shape: [outputs, inputs], role, isLinear: true };
  return hasBias ? [weight, { name: `${name}.bias`, shape: [outputs], role: "bias" }] : [weight];
}

/**
 * Layers that get no adapter: transformers 5 keeps all experts of a layer in one tensor and routers in modules that are
 * not linear layers, so that PEFT has no place for one.
 */
export function withoutAdapters(specs: readonly ParameterSpec[]): readonly ParameterSpec[] {
  return specs.map((spec) => ({ ...spec, isLinear: false }));
}

/** Parameters of a layer norm: `weight` and `bias`. */
export function layerNormSpecs(name: string, size: number): readonly ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [size], role: "norm" },
    { name: `${name}.bias`, shape: [size], role: "bias" },
  ];
}

/** Names of specs, which is what segments list. */
export function namesOf(specs: readonly ParameterSpec[]): readonly string[] {
  return specs.map(({ name }) => name);
}
