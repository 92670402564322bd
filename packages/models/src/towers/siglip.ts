import { layerNormSpecs, linearSpecs } from "../blocks/specs.js";
import type { ParameterSpec } from "../contract/family.js";
import type { Tower, TowerPlace } from "../contract/parts.js";
import { plainMlp } from "../layers/plain-mlp.js";
import type { ConfigReader } from "../reading/config-reader.js";
import { encoderLayer } from "./encoder-layer.js";
import { checkPictures } from "./picture-sizes.js";
import { readTowerSizes, type TowerSizes } from "./sizes.js";
import { vitTower, type PictureSize, type VitUse } from "./vit.js";

/** Sizes of a SigLIP vision tower. */
export interface SiglipConfig extends PictureSize, TowerSizes {
  readonly epsilon: number;
}

/**
 * Reads `vision_config`. Defaults: transformers 5.24, `configuration_siglip.py`, `SiglipVisionConfig`. @throws
 * THAW_CHECKPOINT_CONFIG
 */
export function readSiglipConfig(config: ConfigReader): SiglipConfig {
  config.choice("model_type", ["siglip_vision_model"], "siglip_vision_model");
  const siglip: SiglipConfig = {
    ...readTowerSizes(config, {
      hiddenSize: 768,
      intermediateSize: 3072,
      layerCount: 12,
      headCount: 12,
      activation: "gelu_pytorch_tanh",
    }),
    imageSize: config.size("image_size", 224),
    patchSize: config.size("patch_size", 16),
    epsilon: config.number("layer_norm_eps", 1e-6),
  };
  checkPictures(config, siglip);
  return siglip;
}

/**
 * The vision tower of SigLIP (Zhai et al., arXiv:2303.15343) as transformers 5.24 has it in `modeling_siglip.py`:
 * patches, learned positions, pre-norm layers, `post_layernorm`. No class token. The head that pools rows is stored
 * where the file has it (`storesHead`) and never computed.
 */
export function siglipTower(
  config: SiglipConfig,
  use: VitUse & { readonly storesHead: boolean },
  place: TowerPlace,
): Tower {
  const { hiddenSize, intermediateSize, headCount, activation, epsilon } = config;
  const { prefix } = use;
  const norm = { kind: "layer", epsilon } as const;
  const block = plainMlp({ hiddenSize, intermediateSize, activation });
  const layer = encoderLayer({ hiddenSize, headCount, norm, block });
  return vitTower(
    {
      ...config,
      ...use,
      patch: { name: `${prefix}.embeddings.patch_embedding`, hasBias: true },
      positions: { name: `${prefix}.embeddings.position_embedding.weight` },
      lastNorm: `${prefix}.post_layernorm`,
      norm,
      layers: Array.from({ length: config.layerCount }, (_, index) => ({
        name: `${prefix}.encoder.layers.${index}`,
        layer,
      })),
      unused: use.storesHead ? poolingHeadSpecs(config, `${prefix}.head`) : [],
    },
    place,
  );
}

/** `SiglipMultiheadAttentionPoolingHead`, which SigLIP 2 has too. */
export function poolingHeadSpecs(
  { hiddenSize, intermediateSize }: Pick<SiglipConfig, "hiddenSize" | "intermediateSize">,
  name: string,
): readonly ParameterSpec[] {
  return [
    { name: `${name}.probe`, shape: [1, 1, hiddenSize], role: "embedding" },
    { name: `${name}.attention.in_proj_weight`, shape: [3 * hiddenSize, hiddenSize], role: "linear" },
    { name: `${name}.attention.in_proj_bias`, shape: [3 * hiddenSize], role: "bias" },
    ...linearSpecs(`${name}.attention.out_proj`, hiddenSize, hiddenSize, true),
    ...layerNormSpecs(`${name}.layernorm`, hiddenSize),
    ...linearSpecs(`${name}.mlp.fc1`, hiddenSize, intermediateSize, true),
    ...linearSpecs(`${name}.mlp.fc2`, intermediateSize, hiddenSize, true),
  ];
}
