import { reshape, rmsNorm, type Value } from "@thaw/autograd";
import type { Scope } from "@thaw/contracts";
import type { ParameterSpec } from "../contract/family.js";

/** A root mean square norm. */
export interface NormOptions {
  readonly epsilon: number;
  /** True if the weight is stored minus one (Gemma, Qwen3.5). */
  readonly unitOffset?: boolean;
}

/** The weight of a norm over `size` columns. Where it is stored minus one it starts from 0. */
export function normSpec(name: string, size: number, { unitOffset }: NormOptions): ParameterSpec {
  return { name: `${name}.weight`, shape: [size], role: unitOffset === true ? "bias" : "norm" };
}

/** Norms the rows of `x [rows, size]`. */
export function normed(x: Value, name: string, { epsilon, unitOffset }: NormOptions, scope: Scope): Value {
  return rmsNorm(x, scope.parameter(`${name}.weight`), epsilon, unitOffset === true ? { unitOffset } : {});
}

/** Norms every head of `x [rows, heads * size]` by itself, with one weight for all. */
export function normedHeads(x: Value, headSize: number, name: string, options: NormOptions, scope: Scope): Value {
  const [rows, width] = x.shape as [number, number];
  return reshape(normed(reshape(x, [(rows * width) / headSize, headSize]), name, options, scope), [rows, width]);
}
