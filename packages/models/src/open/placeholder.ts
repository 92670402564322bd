import type { ComponentDeclaration, Model, ParameterInfo } from "@thaw/contracts";
import { componentSegments } from "../owners/component-segments.js";
import { noCheckpoint } from "../errors.js";

/** The components that every vision-language model has. */
const BASE: readonly ComponentDeclaration[] = ["vision_tower", "multi_modal_projector", "language_model"].map(
  (name) => ({ name, prefixes: [name] }),
);

/**
 * A model of which nothing but its components is known: it can be planned and checked as far as settings go, one
 * stand-in parameter a component. Reading or running it throws THAW_CHECKPOINT_UNREADABLE.
 */
export function placeholderModel(source: string, declared: readonly string[] = []): Model {
  const components = [
    ...BASE,
    ...declared.filter((name) => !BASE.some((base) => base.name === name)).map((name) => ({ name, prefixes: [name] })),
  ];
  const parameters: readonly ParameterInfo[] = components.map(({ name }) => ({ name, shape: [], dtype: "F32" }));
  const refuse = (): never => {
    throw noCheckpoint(source);
  };
  return {
    modelType: "unknown",
    source,
    isPlaceholder: true,
    components,
    parameters,
    segments: componentSegments(components, parameters),
    deadParameters: [],
    text: { vocabularySize: 0, hiddenSize: 0, maxPositions: 0, eosTokenIds: [], padTokenId: 0 },
    load: refuse,
    forward: refuse,
    generate: refuse,
    save: refuse,
  };
}
