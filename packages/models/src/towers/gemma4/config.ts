import { readActivation, type ActivationName } from "../../blocks/activations.js";
import type { ConfigReader } from "../../reading/config-reader.js";

/** Sizes of Gemma 4's vision tower. */
export interface Gemma4VisionConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layerCount: number;
  readonly headCount: number;
  readonly keyValueHeadCount: number;
  readonly headSize: number;
  readonly patchSize: number;
  /** Patches a side of the blocks that are averaged. */
  readonly merge: number;
  /** Places along each axis of the table of positions. */
  readonly places: number;
  /** Base of the rotary frequencies. */
  readonly theta: number;
  readonly epsilon: number;
  readonly activation: ActivationName;
  /** Whether inputs and outputs of linear layers stay between stored bounds. */
  readonly isClipped: boolean;
  /** Whether a stored bias is taken from the features before a stored scale multiplies them. */
  readonly isStandardized: boolean;
}

/**
 * Reads `vision_config`. Defaults: transformers 5.24, `configuration_gemma4.py`, `Gemma4VisionConfig`. @throws
 * THAW_CHECKPOINT_CONFIG
 */
export function readGemma4VisionConfig(config: ConfigReader): Gemma4VisionConfig {
  config.choice("model_type", ["gemma4_vision"], "gemma4_vision");
  const [headCount, keyValueHeadCount] = [
    config.size("num_attention_heads", 12),
    config.size("num_key_value_heads", 12),
  ];
  const headSize = config.size("head_dim", 64);
  if (headCount % keyValueHeadCount !== 0)
    config.fail(
      "num_key_value_heads",
      `${keyValueHeadCount} key/value heads do not divide num_attention_heads ${headCount}.`,
      "Give a number that divides it.",
    );
  if (headSize % 4 !== 0)
    config.fail(
      "head_dim",
      `In a head of ${headSize} columns, x and y cannot turn pairs of one half each.`,
      "Give a multiple of 4.",
    );
  for (const key of ["attention_bias", "attention_k_eq_v"])
    if (config.boolean(key, false)) config.fail(key, "Towers of this type have no such layers.", "Set it to false.");
  if (config.number("attention_dropout", 0) !== 0)
    config.fail("attention_dropout", "Dropout of attention is not supported.", "Set it to 0.");
  const rope = config.child("rope_parameters");
  rope.choice("rope_type", ["axial"], "axial");
  return {
    headCount,
    keyValueHeadCount,
    headSize,
    hiddenSize: config.size("hidden_size", 768),
    intermediateSize: config.size("intermediate_size", 3072),
    layerCount: config.size("num_hidden_layers", 16),
    patchSize: config.size("patch_size", 16),
    merge: config.size("pooling_kernel_size", 3),
    places: config.size("position_embedding_size", 10240),
    theta: rope.number("rope_theta", 100),
    epsilon: config.number("rms_norm_eps", 1e-6),
    activation: readActivation(config, "hidden_activation", "gelu_pytorch_tanh"),
    isClipped: config.boolean("use_clipped_linears", false),
    isStandardized: config.boolean("standardize", false),
  };
}
