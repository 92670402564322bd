import { readActivation, type ActivationName } from "../../blocks/activations.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import { readPatchRotary } from "../../reading/patch-rotary.js";

/** Sizes of a Pixtral vision tower. */
export interface PixtralConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layerCount: number;
  readonly headCount: number;
  readonly channelCount: number;
  readonly patchSize: number;
  /** Base of the rotary frequencies. */
  readonly theta: number;
  readonly activation: ActivationName;
}

/**
 * Reads `vision_config`. Defaults: transformers 5.24, `configuration_pixtral.py`, `PixtralVisionConfig`. Its
 * `image_size` decides nothing. @throws THAW_CHECKPOINT_CONFIG
 */
export function readPixtralConfig(config: ConfigReader): PixtralConfig {
  config.choice("model_type", ["pixtral"], "pixtral");
  const [hiddenSize, headCount] = [config.size("hidden_size", 1024), config.size("num_attention_heads", 16)];
  return {
    hiddenSize,
    headCount,
    intermediateSize: config.size("intermediate_size", 4096),
    layerCount: config.size("num_hidden_layers", 24),
    channelCount: config.size("num_channels", 3),
    patchSize: config.size("patch_size", 16),
    theta: readPatchRotary(config, hiddenSize, headCount),
    activation: readActivation(config, "hidden_act", "gelu"),
  };
}
