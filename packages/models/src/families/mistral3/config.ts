import { readActivation, type ActivationName } from "../../blocks/activations.js";
import type { TextModel } from "../../decoders/text/sizes.js";
import { readTextModel } from "../../decoders/text/text-model.js";
import { configReader, type ConfigReader } from "../../reading/config-reader.js";
import { readFeatureStates } from "../../towers/feature-states.js";
import { readPixtralConfig, type PixtralConfig } from "../../towers/pixtral/config.js";
import { readTied } from "../llava-names.js";

/** Everything that config.json says about a Mistral 3 model. */
export interface Mistral3Config {
  readonly vision: PixtralConfig;
  readonly text: TextModel;
  readonly imageTokenId: number;
  /** Hidden states of the tower that make the features, from 0: one. */
  readonly featureStates: readonly number[];
  /** Patches a side of the blocks that become one token. */
  readonly merge: number;
  readonly projectorActivation: ActivationName;
  readonly projectorBias: boolean;
  /** What the projector's norm adds. */
  readonly epsilon: number;
  /** Whether the output layer is the embedding; see `readTied`. */
  readonly tied: boolean | "unclear";
}

/** Parts that a config leaves out as a whole. */
const DEFAULT_VISION = { patch_size: 14 };
const DEFAULT_TEXT = {
  head_dim: 128,
  hidden_size: 5120,
  intermediate_size: 32768,
  num_hidden_layers: 40,
  rms_norm_eps: 1e-5,
  rope_theta: 1e9,
  sliding_window: null,
  vocab_size: 131072,
};

/**
 * Reads config.json. Names and defaults: transformers 5.24, `configuration_mistral3.py`. @throws THAW_CHECKPOINT_CONFIG
 */
export function readMistral3Config(config: ConfigReader): Mistral3Config {
  const part = (key: string, fallback: Readonly<Record<string, unknown>>): ConfigReader =>
    config.has(key) ? config.child(key) : configReader(config.file, fallback, key);
  const vision = readPixtralConfig(part("vision_config", DEFAULT_VISION));
  const textPart = part("text_config", DEFAULT_TEXT);
  const text = readTextModel(textPart, "mistral");
  const featureStates = readFeatureStates(config, vision.layerCount, -1);
  if (featureStates.length > 1)
    config.fail(
      "vision_feature_layer",
      "The projector norms as many columns as one hidden state has.",
      "Give one hidden state.",
    );
  return {
    vision,
    text,
    imageTokenId: config.number(config.has("image_token_id") ? "image_token_id" : "image_token_index", 10),
    featureStates,
    merge: config.size("spatial_merge_size", 2),
    projectorActivation: readActivation(config, "projector_hidden_act", "gelu"),
    projectorBias: config.boolean("multimodal_projector_bias", false),
    epsilon: text.options.norm.epsilon,
    tied: readTied(config, "unclear"),
  };
}
