import { ownerByPrefix, type ComponentDeclaration, type ParameterInfo, type Segment } from "@thaw/contracts";

/** What a component reads from the batch, and after which components it runs, in every published type. */
const DATA_FLOW: readonly {
  readonly name: string;
  readonly reads: readonly string[];
  readonly after: readonly string[];
}[] = [
  { name: "vision_tower", reads: ["pixelValues"], after: [] },
  { name: "audio_tower", reads: ["audioFeatures"], after: [] },
  { name: "multi_modal_projector", reads: [], after: ["vision_tower"] },
  { name: "audio_projector", reads: [], after: ["audio_tower"] },
  { name: "language_model", reads: [], after: ["multi_modal_projector", "audio_projector"] },
  { name: "speech_decoder", reads: [], after: ["language_model"] },
];

/**
 * One segment a component, in data-flow order, for models whose forward pass is not known: enough to say how gradients
 * flow between components. Components that no published type has come last, after the language model.
 */
export function componentSegments(
  components: readonly ComponentDeclaration[],
  parameters: readonly ParameterInfo[],
): readonly Segment[] {
  const owned = new Map<string, string[]>();
  for (const { name } of parameters) {
    const owner = ownerByPrefix(name, components);
    if (owner !== undefined) owned.set(owner, [...(owned.get(owner) ?? []), name]);
  }
  const known = DATA_FLOW.filter(({ name }) => owned.has(name));
  const others = [...owned.keys()]
    .filter((name) => !DATA_FLOW.some((flow) => flow.name === name))
    .map((name) => ({ name, reads: [], after: ["language_model"] }));
  return [...known, ...others].map(({ name, reads, after }) => ({
    name,
    reads,
    after: after.filter((before) => owned.has(before)),
    parameters: owned.get(name)!,
  }));
}
