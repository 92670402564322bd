import type { Value } from "@thaw/autograd";
import type { Scope } from "@thaw/contracts";
import { activate, type ActivationName } from "../blocks/activations.js";
import type { ParameterSpec } from "../contract/family.js";
import type { Connector, ConnectorPlace } from "../contract/parts.js";
import { linearSpecs } from "../blocks/specs.js";
import { oneSegment } from "./one-segment.js";

/** Sizes of LLaVA's projector. */
export interface MlpProjectorConfig {
  /** Prefix of the checkpoint's names: `multi_modal_projector`. */
  readonly prefix: string;
  readonly outputSize: number;
  readonly activation: ActivationName;
  readonly hasBias: boolean;
}

/** Parameters of the two layers. */
export function mlpSpecs({ prefix, outputSize, hasBias }: MlpProjectorConfig, inputSize: number): ParameterSpec[] {
  return [
    ...linearSpecs(`${prefix}.linear_1`, inputSize, outputSize, hasBias),
    ...linearSpecs(`${prefix}.linear_2`, outputSize, outputSize, hasBias),
  ];
}

/** `[rows, inputSize]` to `[rows, outputSize]`. */
export function runMlp(x: Value, { prefix, activation }: MlpProjectorConfig, scope: Scope): Value {
  return scope.linear(activate(activation, scope.linear(x, `${prefix}.linear_1`)), `${prefix}.linear_2`);
}

/**
 * Two linear layers with an activation between them, row by row. Source: LLaVA-1.5, arXiv:2310.03744, section 3.3;
 * `modeling_llava.py` of transformers 5.23.
 */
export function mlpProjector(config: MlpProjectorConfig, place: ConnectorPlace): Connector {
  return oneSegment(place, {
    parameters: mlpSpecs(config, place.inputSize),
    outputSize: config.outputSize,
    run: (x, scope) => runMlp(x, config, scope),
  });
}
