import { readActivation, type ActivationName } from "../../blocks/activations.js";
import type { ConfigReader } from "../../reading/config-reader.js";

/** Sizes of a Whisper encoder. */
export interface WhisperConfig {
  readonly melCount: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layerCount: number;
  readonly headCount: number;
  /** Rows of a whole chunk of sound behind the convolutions; it has twice as many mel frames. */
  readonly maxPositions: number;
  readonly activation: ActivationName;
}

/** Names that the same option has, the family's own first. */
const NAMES = {
  hiddenSize: ["hidden_size", "d_model"],
  intermediateSize: ["intermediate_size", "encoder_ffn_dim"],
  layerCount: ["num_hidden_layers", "encoder_layers"],
  headCount: ["num_attention_heads", "encoder_attention_heads"],
} as const;

/** What drops something while transformers trains; Thaw's towers run alike in training and without. */
const DROPOUTS = ["dropout", "attention_dropout", "activation_dropout", "layerdrop", "encoder_layerdrop"];

/**
 * Reads `audio_config`. Names and defaults: transformers 5.24, `configuration_voxtral.py` and
 * `configuration_qwen2_audio.py`, whose encoders are the same and have either's names. `scale_embedding` is read by
 * neither encoder. @throws THAW_CHECKPOINT_CONFIG
 */
export function readWhisperConfig(config: ConfigReader, modelType: string): WhisperConfig {
  config.choice("model_type", [modelType], modelType);
  const size = (of: keyof typeof NAMES, fallback: number): number =>
    config.size(NAMES[of].find((name) => config.has(name)) ?? NAMES[of][0], fallback);
  for (const key of DROPOUTS)
    if (config.number(key, 0) !== 0) config.fail(key, "Dropout of an audio tower is not supported.", "Set it to 0.");
  const whisper: WhisperConfig = {
    melCount: config.size("num_mel_bins", 128),
    hiddenSize: size("hiddenSize", 1280),
    intermediateSize: size("intermediateSize", 5120),
    layerCount: size("layerCount", 32),
    headCount: size("headCount", 20),
    maxPositions: config.size("max_source_positions", 1500),
    activation: readActivation(config, "activation_function", "gelu"),
  };
  if (whisper.hiddenSize % whisper.headCount !== 0)
    config.fail(
      NAMES.headCount.find((name) => config.has(name)) ?? NAMES.headCount[0],
      `${whisper.headCount} heads do not divide ${whisper.hiddenSize} columns.`,
      "Give a number of heads that divides them.",
    );
  return whisper;
}
