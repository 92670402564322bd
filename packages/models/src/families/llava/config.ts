import { readActivation, type ActivationName } from "../../blocks/activations.js";
import { readFeatureStates } from "../../towers/feature-states.js";
import { type PixtralConfig, readPixtralConfig } from "../../towers/pixtral/config.js";
import { readVisionModel, type VisionModel } from "../../towers/vision-model.js";
import { configReader, type ConfigReader } from "../../reading/config-reader.js";
import type { TextModel } from "../../decoders/text/sizes.js";
import { readTextModel } from "../../decoders/text/text-model.js";
import { readTied } from "../llava-names.js";

/** A tower over pictures of one size, or one over images of any size. */
export type LlavaVision =
  | { readonly type: "pictures"; readonly model: VisionModel }
  | { readonly type: "pixtral"; readonly model: PixtralConfig };

/** Everything that config.json says about a LLaVA-1.5 model. */
export interface LlavaConfig {
  readonly vision: LlavaVision;
  readonly text: TextModel;
  readonly imageTokenId: number;
  /** Hidden states of the tower that make the features, from 0. */
  readonly featureStates: readonly number[];
  readonly keepClassToken: boolean;
  readonly projectorActivation: ActivationName;
  readonly projectorBias: boolean;
  /** Whether the output layer is the embedding; see `readTied`. */
  readonly tied: boolean | "unclear";
}

/** What a type of LLaVA assumes where its config is silent. */
export interface LlavaDefaults {
  readonly vision: Readonly<Record<string, unknown>>;
  /** Type of the text model. */
  readonly text: string;
  readonly imageTokenId: number;
  readonly featureLayer: number;
  readonly keepsClassToken: boolean;
}

/** Defaults of LLaVA-1.5 and LLaVA-NeXT. */
export const LLAVA_DEFAULTS: LlavaDefaults = {
  vision: {
    model_type: "clip_vision_model",
    hidden_size: 1024,
    intermediate_size: 4096,
    num_hidden_layers: 24,
    num_attention_heads: 16,
    image_size: 336,
    patch_size: 14,
  },
  text: "llama",
  imageTokenId: 32000,
  featureLayer: -2,
  keepsClassToken: false,
};

/**
 * Reads config.json. Names and defaults: transformers 5.23, `configuration_llava.py`, and those of version 4. @throws
 * THAW_CHECKPOINT_CONFIG
 */
export function readLlavaConfig(config: ConfigReader, defaults: LlavaDefaults = LLAVA_DEFAULTS): LlavaConfig {
  const vision = readVision(
    config.has("vision_config")
      ? config.child("vision_config")
      : configReader(config.file, defaults.vision, "vision_config"),
  );
  const text = readTextModel(config.child("text_config"), defaults.text);
  const strategy = defaults.keepsClassToken ? "full" : "default";
  const keepClassToken = config.choice("vision_feature_select_strategy", ["default", "full"], strategy) === "full";
  if (vision.type === "pixtral" && !keepClassToken)
    config.fail(
      "vision_feature_select_strategy",
      "It leaves out a class token, which a Pixtral tower does not have.",
      "Set it to full.",
    );
  return {
    vision,
    text,
    imageTokenId: config.number(
      config.has("image_token_id") ? "image_token_id" : "image_token_index",
      defaults.imageTokenId,
    ),
    featureStates: readFeatureStates(config, vision.model.layerCount, defaults.featureLayer),
    keepClassToken,
    projectorActivation: readActivation(config, "projector_hidden_act", "gelu"),
    projectorBias: config.boolean("multimodal_projector_bias", true),
    tied: readTied(config, text.isTied ? "unclear" : false),
  };
}

function readVision(config: ConfigReader): LlavaVision {
  return config.raw["model_type"] === "pixtral"
    ? { type: "pixtral", model: readPixtralConfig(config) }
    : { type: "pictures", model: readVisionModel(config) };
}
