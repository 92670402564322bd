import { readActivation, type ActivationName } from "../../blocks/activations.js";
import type { Tower, TowerPlace } from "../../contract/parts.js";
import { gatedMlp } from "../../layers/gated-mlp.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import { encoderLayer } from "../encoder-layer.js";
import { checkPictures } from "../picture-sizes.js";
import { vitTower, type PictureSize } from "../vit.js";

/** Sizes of Ovis2's vision transformer. */
export interface Ovis2TowerConfig extends PictureSize {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layerCount: number;
  readonly headCount: number;
  readonly epsilon: number;
  /** Of queries, keys, values and the output of attention. */
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  readonly activation: ActivationName;
}

/**
 * Reads `vision_config`. Defaults: transformers 5.24, `configuration_ovis2.py`, `Ovis2VisionConfig`. @throws
 * THAW_CHECKPOINT_CONFIG
 */
export function readOvis2TowerConfig(config: ConfigReader): Ovis2TowerConfig {
  config.choice("model_type", ["ovis2_vision"], "ovis2_vision");
  if (config.number("attention_dropout", 0) !== 0)
    config.fail("attention_dropout", "Dropout of attention is not supported.", "Set it to 0.");
  const tower: Ovis2TowerConfig = {
    hiddenSize: config.size("hidden_size", 1024),
    intermediateSize: config.size("intermediate_size", 2816),
    layerCount: config.size("num_hidden_layers", 24),
    headCount: config.size("num_attention_heads", 8),
    channelCount: config.size("num_channels", 3),
    imageSize: config.size("image_size", 224),
    patchSize: config.size("patch_size", 14),
    epsilon: config.number("rms_norm_eps", 1e-5),
    attentionBias: config.boolean("qkv_bias", false),
    mlpBias: config.boolean("mlp_bias", false),
    activation: readActivation(config, "hidden_act", "silu"),
  };
  checkPictures(config, tower);
  return tower;
}

/**
 * Ovis2's vision transformer, which is AIMv2's (Fini et al., arXiv:2411.14402): root mean square norms, one of them on
 * patches before their learned positions, gated MLPs, no class token. `prefix`: `model.vision_tower.transformer`.
 * Source: transformers 5.24, `modeling_ovis2.py`, `Ovis2VisionTransformer`.
 */
export function ovis2Tower(config: Ovis2TowerConfig, prefix: string, place: TowerPlace): Tower {
  const { hiddenSize, intermediateSize, headCount, layerCount, activation, epsilon } = config;
  const norm = { epsilon };
  const block = gatedMlp({
    hiddenSize,
    intermediateSize,
    activation,
    hasBias: config.mlpBias,
    names: { whole: "ffn" },
  });
  const layer = encoderLayer({
    hiddenSize,
    headCount,
    norm,
    block,
    biases: config.attentionBias,
    names: { attention: "attention", firstNorm: "rms_norm1", secondNorm: "rms_norm2" },
  });
  return vitTower(
    {
      ...config,
      prefix,
      featureStates: [layerCount],
      dropsFirst: false,
      isNormed: true,
      patch: { name: `${prefix}.embeddings.patch_embedding`, hasBias: true },
      patchNorm: `${prefix}.embeddings.rms_norm`,
      positions: { name: `${prefix}.embeddings.position_embedding.weight` },
      lastNorm: `${prefix}.rms_norm`,
      norm,
      layers: Array.from({ length: layerCount }, (_, index) => ({ name: `${prefix}.encoder.layers.${index}`, layer })),
    },
    place,
  );
}
