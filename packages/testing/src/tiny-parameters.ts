import { elementCount, mulberry32, type ParameterInfo } from "@thaw/core";

/** Sizes of the tiny model. */
export const TINY = Object.freeze({
  imageSize: 4,
  patchSize: 2,
  patches: 4,
  patchValues: 4,
  visionHidden: 3,
  visionLayers: 2,
  hidden: 4,
  intermediate: 6,
  languageLayers: 2,
  heads: 2,
  vocabularySize: 13,
  maxPositions: 64,
  padTokenId: 0,
  eosTokenId: 1,
  imageTokenId: 2,
  promptTokenId: 3,
  firstWordId: 4,
});

/** Names and shapes of the tiny model in LLaVA's spelling. `tied`: the output layer is the embedding. */
export function tinyParameters(tied: boolean): ParameterInfo[] {
  const { visionHidden, visionLayers, hidden, intermediate, languageLayers, vocabularySize, patchValues } = TINY;
  const parameters: ParameterInfo[] = [];
  const add = (name: string, ...shape: number[]): void => void parameters.push({ name, shape, dtype: "F32" });
  const matrix = (name: string, output: number, input: number): void =>
    void parameters.push({ name: `${name}.weight`, shape: [output, input], dtype: "F32", isLinear: true });
  const linear = (name: string, output: number, input: number): void => {
    matrix(name, output, input);
    add(`${name}.bias`, output);
  };
  linear("vision_tower.patch_embedding", visionHidden, patchValues);
  for (let layer = 0; layer < visionLayers; layer += 1) {
    add(`vision_tower.layers.${layer}.layer_norm.weight`, visionHidden);
    add(`vision_tower.layers.${layer}.layer_norm.bias`, visionHidden);
    linear(`vision_tower.layers.${layer}.mlp`, visionHidden, visionHidden);
  }
  add("vision_tower.post_layernorm.weight", visionHidden);
  add("vision_tower.post_layernorm.bias", visionHidden);
  linear("multi_modal_projector.linear_1", hidden, visionHidden);
  linear("multi_modal_projector.linear_2", hidden, hidden);
  add("language_model.embed_tokens.weight", vocabularySize, hidden);
  for (let layer = 0; layer < languageLayers; layer += 1) {
    const prefix = `language_model.layers.${layer}`;
    add(`${prefix}.input_layernorm.weight`, hidden);
    for (const part of ["q_proj", "k_proj", "v_proj", "o_proj"]) matrix(`${prefix}.self_attn.${part}`, hidden, hidden);
    add(`${prefix}.post_attention_layernorm.weight`, hidden);
    matrix(`${prefix}.mlp.gate_proj`, intermediate, hidden);
    matrix(`${prefix}.mlp.up_proj`, intermediate, hidden);
    matrix(`${prefix}.mlp.down_proj`, hidden, intermediate);
  }
  add("language_model.norm.weight", hidden);
  if (!tied) add("lm_head.weight", vocabularySize, hidden);
  return parameters.map((parameter) =>
    tied && parameter.name === "language_model.embed_tokens.weight"
      ? { ...parameter, tiedNames: ["lm_head.weight"] }
      : parameter,
  );
}

/**
 * Values of a parameter: a function of the seed and the name alone. Norms are around 1, biases around 0, matrices
 * around 0 with deviation 0.4.
 */
export function tinyValues(parameter: ParameterInfo, seed: number): Float32Array {
  let hash = 2166136261;
  for (const character of parameter.name) hash = Math.imul(hash ^ character.charCodeAt(0), 16777619);
  const random = mulberry32(hash ^ seed);
  const centre = parameter.name.endsWith("norm.weight") ? 1 : 0;
  const width = parameter.shape.length === 2 ? 0.7 : 0.1;
  return Float32Array.from({ length: elementCount(parameter.shape) }, () => centre + width * (2 * random() - 1));
}
