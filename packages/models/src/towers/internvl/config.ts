import type { ConfigReader } from "../../reading/config-reader.js";
import { checkPictures } from "../picture-sizes.js";
import { readTowerSizes, type TowerSizes } from "../sizes.js";
import type { PictureSize } from "../vit.js";

/** Sizes and options of an InternViT tower. */
export interface InternVitConfig extends PictureSize, TowerSizes {
  readonly epsilon: number;
  readonly normKind: "layer" | "rms";
  /** Of queries, keys and values. */
  readonly attentionBias: boolean;
  /** Whether queries and keys are normed over their whole width. */
  readonly normsQueries: boolean;
  readonly hasPositions: boolean;
  /** Whether files hold a token for masked patches, with which nothing computes. */
  readonly hasMaskToken: boolean;
  /** Whether there is a norm behind the last layer. */
  readonly hasLastNorm: boolean;
  /** Value of the layers' scales in a new model. */
  readonly layerScale: number;
}

const DROPOUTS = ["hidden_dropout_prob", "projection_dropout"];

/**
 * Reads `vision_config`. Defaults: transformers 5.24, `configuration_internvl.py`, `InternVLVisionConfig`. @throws
 * THAW_CHECKPOINT_CONFIG
 */
export function readInternVitConfig(config: ConfigReader): InternVitConfig {
  config.choice("model_type", ["internvl_vision"], "internvl_vision");
  for (const key of DROPOUTS)
    if (config.number(key, 0) !== 0) config.fail(key, "Dropout of towers is not supported.", "Set it to 0.");
  const vision: InternVitConfig = {
    ...readTowerSizes(config, {
      hiddenSize: 1024,
      intermediateSize: 4096,
      layerCount: 24,
      headCount: 16,
      activation: "gelu",
    }),
    imageSize: readSide(config, "image_size", 448),
    patchSize: readSide(config, "patch_size", 14),
    epsilon: config.number("layer_norm_eps", 1e-6),
    normKind: config.choice("norm_type", ["layer_norm", "rms_norm"], "layer_norm") === "rms_norm" ? "rms" : "layer",
    attentionBias: config.boolean("attention_bias", false),
    normsQueries: config.boolean("use_qk_norm", false),
    hasPositions: config.boolean("use_absolute_position_embeddings", true),
    hasMaskToken: config.boolean("use_mask_token", false),
    hasLastNorm: !config.boolean("use_mean_pooling", true),
    layerScale: config.number("layer_scale_init_value", 0.1),
  };
  checkPictures(config, vision);
  return vision;
}

/** A side in pixels, or twice the same one. */
function readSide(config: ConfigReader, key: string, fallback: number): number {
  const value = config.raw[key];
  if (!Array.isArray(value)) return config.size(key, fallback);
  const [height, width] = value as unknown[];
  if (value.length === 2 && height === width && Number.isSafeInteger(height) && (height as number) > 0)
    return height as number;
  return config.fail(key, `The value ${JSON.stringify(value)} is not a square.`, "Give one side, or the same twice.");
}
