import type { ComponentDeclaration, Model, ParameterInfo, Segment } from "@thaw/contracts";

/** Components of a LLaVA checkpoint. */
export const STUB_COMPONENTS: readonly ComponentDeclaration[] = [
  { name: "vision_tower", prefixes: ["vision_tower"] },
  { name: "multi_modal_projector", prefixes: ["multi_modal_projector"] },
  { name: "language_model", prefixes: ["language_model"] },
];

/** Parameter names of a LLaVA-like model with 12 tower layers and 3 language-model layers. */
export const STUB_NAMES: readonly string[] = [
  "vision_tower.vision_model.embeddings.patch_embedding.weight",
  ...Array.from({ length: 12 }, (_, layer) => [
    `vision_tower.vision_model.encoder.layers.${layer}.self_attn.q_proj.weight`,
    `vision_tower.vision_model.encoder.layers.${layer}.mlp.fc1.weight`,
  ]).flat(),
  "vision_tower.vision_model.post_layernorm.weight",
  "multi_modal_projector.linear_1.weight",
  "multi_modal_projector.linear_1.bias",
  "multi_modal_projector.linear_2.weight",
  "multi_modal_projector.linear_2.bias",
  "language_model.model.embed_tokens.weight",
  ...Array.from({ length: 3 }, (_, layer) => [
    `language_model.model.layers.${layer}.self_attn.q_proj.weight`,
    `language_model.model.layers.${layer}.mlp.up_proj.weight`,
  ]).flat(),
  "language_model.model.norm.weight",
  "language_model.lm_head.weight",
];

/**
 * The stub's parameters: `[32, 2]` for the vocabulary, else `[2, 2]`. `tied`: name to the names that are the same
 * parameter.
 */
export function stubParameters(
  options: {
    readonly names?: readonly string[];
    readonly tied?: Readonly<Record<string, readonly string[]>>;
    readonly added?: readonly ParameterInfo[];
  } = {},
): readonly ParameterInfo[] {
  const tied = options.tied ?? {};
  const hidden = new Set(Object.values(tied).flat());
  const names = (options.names ?? STUB_NAMES).filter((name) => !hidden.has(name));
  return [
    ...names.map((name): ParameterInfo => ({
      name,
      shape: /embed_tokens|lm_head/.test(name) ? [32, 2] : [2, 2],
      dtype: "F32",
      tiedNames: tied[name],
    })),
    ...(options.added ?? []),
  ];
}

/**
 * The stub as a model that can be planned and not run. Two towers' blocks after the used features are dead, as in CLIP.
 */
export function stubModel(options: Parameters<typeof stubParameters>[0] = {}): Model {
  const parameters = stubParameters(options);
  const names = parameters.map(({ name }) => name);
  const under = (prefix: string) => names.filter((name) => name.startsWith(`${prefix}.`));
  const layers = (segment: string, prefix: string, count: number): readonly Segment[] =>
    Array.from({ length: count }, (_, layer) => ({
      name: `${segment}.layers.${layer}`,
      after: layer === 0 ? [] : [`${segment}.layers.${layer - 1}`],
      reads: [],
      parameters: under(`${prefix}.${layer}`),
    }));
  const refuse = (): never => {
    throw new Error("The stub model cannot run.");
  };
  return {
    modelType: "stub",
    source: "a stub",
    components: STUB_COMPONENTS,
    parameters,
    segments: [
      { name: "vision_tower", after: [], reads: ["pixelValues"], parameters: under("vision_tower") },
      ...layers("vision_tower", "vision_tower.vision_model.encoder.layers", 12),
      { name: "multi_modal_projector", after: ["vision_tower"], reads: [], parameters: under("multi_modal_projector") },
      { name: "language_model", after: ["multi_modal_projector"], reads: [], parameters: under("language_model") },
      ...layers("language_model", "language_model.model.layers", 3),
    ],
    deadParameters: [
      "vision_tower.vision_model.encoder.layers.11.mlp.fc1.weight",
      "vision_tower.vision_model.post_layernorm.weight",
    ],
    text: {
      vocabularySize: 32,
      hiddenSize: 2,
      maxPositions: 64,
      eosTokenIds: [1],
      padTokenId: 0,
      embeddings: {
        input: "language_model.model.embed_tokens.weight",
        output: names.find((name) => name.endsWith("lm_head.weight")) ?? "language_model.model.embed_tokens.weight",
      },
    },
    load: refuse,
    forward: refuse,
    generate: refuse,
    save: refuse,
  };
}
