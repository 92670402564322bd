import type { ConfigReader } from "../../reading/config-reader.js";
import { readGemma4AudioConfig, type Gemma4AudioConfig } from "../../towers/gemma4-audio/config.js";
import { readGemma4VisionConfig, type Gemma4VisionConfig } from "../../towers/gemma4/config.js";
import { readGemma4Text, type Gemma4Text } from "./shared.js";

/** Everything that config.json says about a Gemma 4 model. */
export interface Gemma4Config extends Gemma4Text {
  readonly vision: Gemma4VisionConfig;
  /** Absent: the model reads no sound. */
  readonly audio: Gemma4AudioConfig | undefined;
}

/**
 * Reads config.json. Names and defaults: transformers 5.24, `configuration_gemma4.py`. @throws THAW_CHECKPOINT_CONFIG
 */
export function readGemma4Config(config: ConfigReader): Gemma4Config {
  return {
    ...readGemma4Text(config, "gemma4_text", undefined),
    vision: readGemma4VisionConfig(config.child("vision_config")),
    audio: config.has("audio_config") ? readGemma4AudioConfig(config.child("audio_config")) : undefined,
  };
}
