import { readActivation, type ActivationName } from "../blocks/activations.js";
import type { ConfigReader } from "../reading/config-reader.js";

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
  const headSize = hiddenSize / headCount;
  if (headSize % 4 !== 0)
    config.fail(
      "num_attention_heads",
      `${headCount} heads of hidden_size ${hiddenSize} have ${headSize} columns, of which rows and columns turn pairs.`,
      "Give a number of heads that leaves a multiple of 4.",
    );
  if (config.size("head_dim", headSize) !== headSize)
    config.fail("head_dim", `Heads have ${headSize} columns.`, "Give hidden_size / num_attention_heads, or nothing.");
  if (config.number("attention_dropout", 0) !== 0)
    config.fail("attention_dropout", "Dropout of attention is not supported.", "Set it to 0.");
  if (config.has("rope_scaling"))
    config.fail("rope_scaling", "Positions of patches that are scaled are not supported.", "Leave it out.");
  const rope = config.child("rope_parameters");
  rope.choice("rope_type", ["axial"], "axial");
  return {
    hiddenSize,
    headCount,
    intermediateSize: config.size("intermediate_size", 4096),
    layerCount: config.size("num_hidden_layers", 24),
    channelCount: config.size("num_channels", 3),
    patchSize: config.size("patch_size", 16),
    theta: rope.number("rope_theta", config.number("rope_theta", 10000)),
    activation: readActivation(config, "hidden_act", "gelu"),
  };
}
