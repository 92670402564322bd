import { readActivation, type ActivationName } from "../../blocks/activations.js";
import { readFeatureStates } from "../../towers/feature-states.js";
import { readVisionModel, type VisionModel } from "../../towers/vision-model.js";
import { configReader, type ConfigReader } from "../../reading/config-reader.js";
import type { TextModel } from "../../decoders/text/sizes.js";
import { readTextModel } from "../../decoders/text/text-model.js";

/** Everything that config.json says about a LLaVA-1.5 model. */
export interface LlavaConfig {
  readonly vision: VisionModel;
  readonly text: TextModel;
  readonly imageTokenId: number;
  /** Hidden states of the tower that make the features, from 0. */
  readonly featureStates: readonly number[];
  readonly keepClassToken: boolean;
  readonly projectorActivation: ActivationName;
  readonly projectorBias: boolean;
  /**
   * Whether the output layer is the embedding; where the config's two places disagree, a stored output layer is right
   * either way.
   */
  readonly tied: boolean | "unclear";
}

/** The tower that LLaVA assumes where its config has no `vision_config`. */
const DEFAULT_TOWER = {
  model_type: "clip_vision_model",
  hidden_size: 1024,
  intermediate_size: 4096,
  num_hidden_layers: 24,
  num_attention_heads: 16,
  image_size: 336,
  patch_size: 14,
};

/**
 * Reads config.json. Names and defaults: transformers 5.23, `configuration_llava.py`, and those of version 4. @throws
 * THAW_CHECKPOINT_CONFIG
 */
export function readLlavaConfig(config: ConfigReader): LlavaConfig {
  const vision = readVisionModel(
    config.has("vision_config")
      ? config.child("vision_config")
      : configReader(config.file, DEFAULT_TOWER, "vision_config"),
  );
  const text = config.child("text_config");
  const textModel = readTextModel(text);
  return {
    vision,
    text: textModel,
    imageTokenId: config.has("image_token_id")
      ? config.number("image_token_id", 32000)
      : config.number("image_token_index", 32000),
    featureStates: readFeatureStates(config, vision.layerCount),
    keepClassToken: config.choice("vision_feature_select_strategy", ["default", "full"], "default") === "full",
    projectorActivation: readActivation(config, "projector_hidden_act", "gelu"),
    projectorBias: config.boolean("multimodal_projector_bias", true),
    tied: readTied(config, text, textModel.isTied),
  };
}

/** Version 4 heeds `text_config.tie_word_embeddings`, version 5 the one at the top, which is false if left out. */
function readTied(config: ConfigReader, text: ConfigReader, isTextTied: boolean): boolean | "unclear" {
  const said = [config, text]
    .filter((reader) => reader.has("tie_word_embeddings"))
    .map((reader) => reader.boolean("tie_word_embeddings", false));
  return said.every((value) => value === said[0]) ? (said[0] ?? (isTextTied ? "unclear" : false)) : "unclear";
}
