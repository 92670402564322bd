import { append, type Model, type ParameterInfo, type Segment } from "@thaw/contracts";
import { isInside, outersOf } from "../segments/segments.js";

/**
 * The model with each parameter that a plugin added listed by the segments in which it acts, so that flow, caches and
 * rules see it as they see the model's own. The same object where nothing was added.
 */
export function withAddedParameters(model: Model, parameters: readonly ParameterInfo[]): Model {
  const own = new Set(model.parameters.map(({ name }) => name));
  const added = parameters.map(({ name }) => name).filter((name) => !own.has(name));
  if (added.length === 0) return model;
  // Methods may be a class's and use its `this`; so may getters of what a model must have
  const { modelType, source, components, buffers, deadParameters, text } = model;
  return Object.freeze({
    ...model,
    modelType,
    source,
    components,
    deadParameters,
    text,
    parameters: model.parameters,
    ...(buffers && { buffers }),
    segments: segmentsWith(model.segments, added),
    ...(model.vocabulary && { vocabulary: () => model.vocabulary!() }),
    load: (names) => model.load(names),
    forward: (batch, scope) => model.forward(batch, scope),
    generate: (batch, scope, options) => model.generate(batch, scope, options),
    save: (folder, values, options) => model.save(folder, values, options),
  } satisfies Model);
}

/** Segments by the parameters that they list. */
export function segmentsByParameter(segments: readonly Segment[]): ReadonlyMap<string, readonly string[]> {
  const users = new Map<string, string[]>();
  for (const { name, parameters } of segments) {
    for (const parameter of parameters) {
      append(users, parameter, name);
    }
  }
  return users;
}

/**
 * Segments that use a parameter of the same module, or of the nearest module around it: where an added parameter acts.
 */
export function segmentsByModule(parameter: string, users: ReadonlyMap<string, readonly string[]>): readonly string[] {
  for (const module of outersOf(parameter)) {
    const found = [...users].filter(([name]) => isInside(name, module)).flatMap(([, segments]) => segments);
    if (found.length > 0) return [...new Set(found)];
  }
  return [];
}

function segmentsWith(segments: readonly Segment[], added: readonly string[]): readonly Segment[] {
  const users = segmentsByParameter(segments);
  const extra = new Map<string, string[]>();
  for (const parameter of added) {
    if (users.has(parameter)) continue;
    for (const segment of segmentsByModule(parameter, users)) append(extra, segment, parameter);
  }
  return segments.map((segment) => ({
    ...segment,
    parameters: [...segment.parameters, ...(extra.get(segment.name) ?? [])],
  }));
}
