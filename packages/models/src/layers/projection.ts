import { clamp, type Value } from "@thaw/autograd";
import type { Scope } from "@thaw/contracts";
import { linearSpecs } from "../blocks/specs.js";
import type { ParameterSpec } from "../contract/family.js";

/**
 * How linear layers are stored: `plain`, or in a module of their own (`q_proj.linear`), whose inputs and outputs stay
 * between stored bounds (`clipped`) or do not (`wrapped`). Source: transformers 5.24, `modeling_gemma4.py`,
 * `Gemma4ClippableLinear`.
 */
export type ProjectionKind = "plain" | "wrapped" | "clipped";

/** Linear layers of one kind. */
export interface Projection {
  /** As `linearSpecs`, with the bounds. */
  specs(
    name: string,
    inputs: number,
    outputs: number,
    hasBias: boolean,
    role?: ParameterSpec["role"],
  ): readonly ParameterSpec[];
  /** `[rows, inputs]` to `[rows, outputs]`. */
  run(x: Value, name: string, scope: Scope): Value;
}

/** The largest finite number: bounds of a new model let everything pass. */
const LARGEST = 3.4028234663852886e38;
const BOUNDS = ["input_min", "input_max", "output_min", "output_max"] as const;

/** Makes linear layers of a kind. */
export function projectionOf(kind: ProjectionKind): Projection {
  if (kind === "plain") return { specs: linearSpecs, run: (x, name, scope) => scope.linear(x, name) };
  const bounded = (x: Value, name: string, side: "input" | "output", scope: Scope): Value =>
    kind === "wrapped" ? x : clamp(x, scope.parameter(`${name}.${side}_min`), scope.parameter(`${name}.${side}_max`));
  return {
    specs: (name, inputs, outputs, hasBias, role) => [
      ...linearSpecs(`${name}.linear`, inputs, outputs, hasBias, role),
      ...(kind === "wrapped" ? [] : BOUNDS.map((bound) => boundSpec(`${name}.${bound}`))),
    ],
    run: (x, name, scope) =>
      bounded(scope.linear(bounded(x, name, "input", scope), `${name}.linear`), name, "output", scope),
  };
}

function boundSpec(name: string): ParameterSpec {
  const bound = name.endsWith("_min") ? -LARGEST : LARGEST;
  return { name, shape: [], role: () => Float32Array.of(bound), isBuffer: true };
}
