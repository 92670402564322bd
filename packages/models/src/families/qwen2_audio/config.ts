import type { TextModel } from "../../decoders/text/sizes.js";
import { readTextModel } from "../../decoders/text/text-model.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import { readAudioTied } from "../audio-names.js";
import { readWhisperConfig, type WhisperConfig } from "../../towers/whisper/config.js";

/** Everything that config.json says about a Qwen2-Audio model. */
export interface Qwen2AudioConfig {
  readonly audio: WhisperConfig;
  readonly text: TextModel;
  readonly audioTokenId: number;
  /** See `audioTextNames`. */
  readonly isTied: boolean;
}

/**
 * Reads config.json. Names and defaults: transformers 5.24, `configuration_qwen2_audio.py`. @throws
 * THAW_CHECKPOINT_CONFIG
 */
export function readQwen2AudioConfig(config: ConfigReader): Qwen2AudioConfig {
  return {
    audio: readWhisperConfig(config.child("audio_config"), "qwen2_audio_encoder"),
    text: readTextModel(config.child("text_config"), "qwen2"),
    audioTokenId: config.number(config.has("audio_token_id") ? "audio_token_id" : "audio_token_index", 151_646),
    isTied: readAudioTied(config),
  };
}
