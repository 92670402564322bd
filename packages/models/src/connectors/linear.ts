import { linearSpecs, namesOf } from "../blocks/specs.js";
import type { Connector, ConnectorPlace } from "../contract/parts.js";

/** A projector of one linear layer. */
export interface LinearProjectorOptions {
  /** The layer's name: `multi_modal_projector.linear`. */
  readonly name: string;
  readonly outputSize: number;
  readonly hasBias: boolean;
}

/** One linear layer, row by row. */
export function linearProjector(
  { name, outputSize, hasBias }: LinearProjectorOptions,
  { component, after, inputSize }: ConnectorPlace,
): Connector {
  const parameters = linearSpecs(name, inputSize, outputSize, hasBias);
  return {
    parameters,
    segments: [{ name: component, after, reads: [], parameters: namesOf(parameters) }],
    outputSize,
    run: (features, scope) => scope.segment(component, [features], (x) => scope.linear(x, name)),
  };
}
