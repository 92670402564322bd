import { addScalar, div, layerNorm, mean, reshape, rmsNorm, sqrt, square, type Value } from "@thaw/autograd";
import type { Scope } from "@thaw/contracts";
import { layerNormSpecs } from "../blocks/specs.js";
import type { ParameterSpec } from "../contract/family.js";

/** A norm over the last axis. */
export interface NormOptions {
  readonly epsilon: number;
  /** Root mean square (default), or a layer norm, which has a bias too. */
  readonly kind?: "rms" | "layer";
  /** True if the weight of a root mean square norm is stored minus one (Gemma, Qwen3.5). */
  readonly unitOffset?: boolean;
  /** False if a root mean square norm has no weight (Gemma 4's values). Default: true. */
  readonly hasWeight?: boolean;
}

/** Parameters of a norm over `size` columns. A weight that is stored minus one starts from 0. */
export function normSpecs(
  name: string,
  size: number,
  { kind, unitOffset, hasWeight }: NormOptions,
): readonly ParameterSpec[] {
  if (hasWeight === false) return [];
  if (kind === "layer") return layerNormSpecs(name, size);
  return [{ name: `${name}.weight`, shape: [size], role: unitOffset === true ? "bias" : "norm" }];
}

/** Norms the rows of `x [rows, size]`. */
export function normed(x: Value, name: string, options: NormOptions, scope: Scope): Value {
  const { kind, epsilon, unitOffset, hasWeight } = options;
  if (hasWeight === false) return div(x, sqrt(addScalar(mean(square(x), -1, true), epsilon)));
  const weight = scope.parameter(`${name}.weight`);
  if (kind === "layer") return layerNorm(x, weight, scope.parameter(`${name}.bias`), epsilon);
  return rmsNorm(x, weight, epsilon, unitOffset === true ? { unitOffset } : {});
}

/** Norms every head of `x [rows, heads * size]` by itself, with one weight for all. */
export function normedHeads(x: Value, headSize: number, name: string, options: NormOptions, scope: Scope): Value {
  const [rows, width] = x.shape as [number, number];
  return reshape(normed(reshape(x, [(rows * width) / headSize, headSize]), name, options, scope), [rows, width]);
}
