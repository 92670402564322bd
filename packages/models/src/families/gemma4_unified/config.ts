import type { ConfigReader } from "../../reading/config-reader.js";
import { readPixelBlocksConfig, type PixelBlocksConfig } from "../../towers/gemma4/blocks.js";
import { readGemma4Text, type Gemma4Text } from "../gemma4/shared.js";

/** Sizes of what reads sound. */
export interface WaveConfig {
  /** Samples of a row. */
  readonly sampleCount: number;
  /** Of the norm without weight. */
  readonly epsilon: number;
}

/** Everything that config.json says about a Gemma 4 model without a tower. */
export interface Gemma4UnifiedConfig extends Gemma4Text {
  readonly vision: PixelBlocksConfig;
  /** Absent: the model reads no sound. */
  readonly audio: WaveConfig | undefined;
}

/**
 * Reads config.json. Names and defaults: transformers 5.24, `configuration_gemma4_unified.py`. @throws
 * THAW_CHECKPOINT_CONFIG
 */
export function readGemma4UnifiedConfig(config: ConfigReader): Gemma4UnifiedConfig {
  return {
    ...readGemma4Text(config, "gemma4_unified_text", "vision"),
    vision: readPixelBlocksConfig(config.child("vision_config")),
    audio: config.has("audio_config") ? readWaveConfig(config.child("audio_config")) : undefined,
  };
}

/** Names of the samples of a row, the one that transformers saves first. */
const SAMPLE_KEYS = ["audio_embed_dim", "hidden_size", "output_proj_dims", "audio_samples_per_token"];

function readWaveConfig(config: ConfigReader): WaveConfig {
  config.choice("model_type", ["gemma4_unified_audio"], "gemma4_unified_audio");
  return {
    sampleCount: config.size(SAMPLE_KEYS.find((key) => config.has(key)) ?? SAMPLE_KEYS[0]!, 640),
    epsilon: config.number("rms_norm_eps", 1e-6),
  };
}
