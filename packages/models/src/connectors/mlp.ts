import type { Value } from "@thaw/autograd";
import type { Scope, Segment } from "@thaw/contracts";
import { activate, type ActivationName } from "../blocks/activations.js";
import type { ParameterSpec } from "../contract/family.js";
import { linearSpecs, namesOf } from "../blocks/specs.js";

/** Segment of the projector. */
export const PROJECTOR_SEGMENT = "multi_modal_projector";

/** Sizes of LLaVA's projector. */
export interface MlpProjectorConfig {
  /** Prefix of the checkpoint's names: `multi_modal_projector`. */
  readonly prefix: string;
  readonly inputSize: number;
  readonly outputSize: number;
  readonly activation: ActivationName;
  readonly hasBias: boolean;
}

/** A projector with its sizes known. */
export interface Projector {
  readonly parameters: readonly ParameterSpec[];
  readonly segment: Segment;
  /** `[rows, visionHidden]` to `[rows, hidden]`. */
  run(features: Value, scope: Scope): Value;
}

/**
 * Two linear layers with an activation between them. Source: LLaVA-1.5, arXiv:2310.03744, section 3.3;
 * `modeling_llava.py` of transformers 5.23.
 */
export function mlpProjector(
  { prefix, inputSize, outputSize, activation, hasBias }: MlpProjectorConfig,
  after: string,
): Projector {
  const parameters = [
    ...linearSpecs(`${prefix}.linear_1`, inputSize, outputSize, hasBias),
    ...linearSpecs(`${prefix}.linear_2`, outputSize, outputSize, hasBias),
  ];
  return {
    parameters,
    segment: { name: PROJECTOR_SEGMENT, after: [after], reads: [], parameters: namesOf(parameters) },
    run: (features, scope) =>
      scope.segment(PROJECTOR_SEGMENT, [features], (x) =>
        scope.linear(activate(activation, scope.linear(x, `${prefix}.linear_1`)), `${prefix}.linear_2`),
      ),
  };
}
