import { linearSpecs } from "../blocks/specs.js";
import type { Connector, ConnectorPlace } from "../contract/parts.js";
import { normed } from "../layers/norms.js";
import { oneSegment } from "./one-segment.js";

/** A norm without weight, then a matrix. */
export interface NormedLinearOptions {
  /** Name of the matrix: `model.embed_vision.embedding_projection`. */
  readonly name: string;
  readonly outputSize: number;
  readonly epsilon: number;
}

/**
 * Norms rows by their root mean square and multiplies them with a matrix. Source: transformers 5.24,
 * `modeling_gemma4.py`, `Gemma4MultimodalEmbedder`.
 */
export function normedLinear({ name, outputSize, epsilon }: NormedLinearOptions, place: ConnectorPlace): Connector {
  return oneSegment(place, {
    parameters: linearSpecs(name, place.inputSize, outputSize, false),
    outputSize,
    run: (x, scope) => scope.linear(normed(x, "", { epsilon, hasWeight: false }, scope), name),
  });
}
