import type { ComponentDeclaration, ParameterInfo } from "@thaw/contracts";

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

/** The stub's parameters; every one is `[2, 2]`. `tied`: name to the names that are the same parameter. */
export function stubParameters(options: { readonly names?: readonly string[]; readonly tied?: Readonly<Record<string, readonly string[]>>; readonly added?: readonly ParameterInfo[] } = {}): readonly ParameterInfo[] {
  const tied = options.tied ?? {};
  const hidden = new Set(Object.values(tied).flat());
  const names = (options.names ?? STUB_NAMES).filter((name) => !hidden.has(name));
  return [...names.map((name): ParameterInfo => ({ name, shape: [2, 2], dtype: "F32", tiedNames: tied[name] })), ...(options.added ?? [])];
}
