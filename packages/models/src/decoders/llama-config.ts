import { readActivation, type ActivationName } from "../blocks/activations.js";
import type { ConfigReader } from "../reading/config-reader.js";

/** Sizes of a Llama decoder. */
export interface LlamaConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layerCount: number;
  readonly headCount: number;
  readonly keyValueHeadCount: number;
  readonly headSize: number;
  readonly vocabularySize: number;
  readonly maxPositions: number;
  readonly ropeTheta: number;
  readonly epsilon: number;
  readonly activation: ActivationName;
  /** Biases on query, key, value and output projections. */
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
}

/**
 * Reads `text_config`. Defaults: transformers 5.23, `configuration_llama.py`, `LlamaConfig`. @throws
 * THAW_CHECKPOINT_CONFIG
 */
export function readLlamaConfig(config: ConfigReader): LlamaConfig {
  config.choice("model_type", ["llama"], "llama");
  const hiddenSize = config.size("hidden_size", 4096);
  const headCount = config.size("num_attention_heads", 32);
  const keyValueHeadCount = config.size("num_key_value_heads", headCount);
  if (headCount % keyValueHeadCount !== 0) {
    config.fail(
      "num_key_value_heads",
      `${keyValueHeadCount} key/value heads do not divide num_attention_heads ${headCount}.`,
      "Give a number that divides it.",
    );
  }
  const headSize = config.size("head_dim", Math.floor(hiddenSize / headCount));
  if (headSize % 2 !== 0)
    config.fail(
      "head_dim",
      `The head size ${headSize} is odd; rotary positions turn pairs.`,
      "Give an even head size.",
    );
  return {
    hiddenSize,
    headCount,
    keyValueHeadCount,
    headSize,
    intermediateSize: config.size("intermediate_size", 11008),
    layerCount: config.size("num_hidden_layers", 32),
    vocabularySize: config.size("vocab_size", 32000),
    maxPositions: config.size("max_position_embeddings", 2048),
    ropeTheta: readRopeTheta(config),
    epsilon: config.number("rms_norm_eps", 1e-6),
    activation: readActivation(config, "hidden_act", "silu"),
    attentionBias: config.boolean("attention_bias", false),
    mlpBias: config.boolean("mlp_bias", false),
  };
}

/** The base of rotary positions: `rope_parameters` (transformers 5) or `rope_theta` beside `rope_scaling` (before). */
function readRopeTheta(config: ConfigReader): number {
  for (const key of ["rope_parameters", "rope_scaling"]) {
    const rope = config.child(key);
    rope.choice("rope_type", ["default"], "default");
    if (!rope.has("rope_type")) rope.choice("type", ["default"], "default");
  }
  return config.child("rope_parameters").number("rope_theta", config.number("rope_theta", 10000));
}
