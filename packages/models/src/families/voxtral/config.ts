import { readActivation, type ActivationName } from "../../blocks/activations.js";
import type { TextModel } from "../../decoders/text/sizes.js";
import { readTextModel } from "../../decoders/text/text-model.js";
import { configReader, type ConfigReader } from "../../reading/config-reader.js";
import { readAudioTied } from "../audio-names.js";
import { readWhisperConfig, type WhisperConfig } from "../../towers/whisper/config.js";

/** Everything that config.json says about a Voxtral model. */
export interface VoxtralConfig {
  readonly audio: WhisperConfig;
  readonly text: TextModel;
  readonly audioTokenId: number;
  /** Rows of the tower that become one token. */
  readonly stacked: number;
  readonly projectorActivation: ActivationName;
  /** See `audioTextNames`. */
  readonly isTied: boolean;
}

/** What the text model's config says where it leaves something out. */
const DEFAULT_TEXT = {
  vocab_size: 131_072,
  hidden_size: 3072,
  intermediate_size: 8192,
  num_hidden_layers: 30,
  num_key_value_heads: 8,
  max_position_embeddings: 131_072,
  rms_norm_eps: 1e-5,
  rope_theta: 1e8,
  head_dim: 128,
};

/**
 * Reads config.json. Names and defaults: transformers 5.24, `configuration_voxtral.py`. The projector reads rows of
 * `audio_config.intermediate_size` columns: as many rows of the tower side by side as that is. @throws
 * THAW_CHECKPOINT_CONFIG
 */
export function readVoxtralConfig(config: ConfigReader): VoxtralConfig {
  const audioPart = config.child("audio_config");
  const audio = readWhisperConfig(audioPart, "voxtral_encoder");
  const textPart = config.child("text_config");
  const stacked = audio.intermediateSize / audio.hiddenSize;
  if (!Number.isInteger(stacked) || audio.maxPositions % stacked !== 0)
    audioPart.fail(
      "intermediate_size",
      `Rows of ${audio.intermediateSize} columns do not hold whole rows of ${audio.hiddenSize}, or not whole chunks ` +
        `of ${audio.maxPositions} of them.`,
      "Give a multiple of hidden_size whose quotient divides max_source_positions.",
    );
  if (!config.has("audio_token_id"))
    config.fail(
      "audio_token_id",
      "The config names no audio token.",
      "Give the id of [AUDIO], 24 in published models.",
    );
  return {
    audio,
    text: readTextModel(configReader(config.file, { ...DEFAULT_TEXT, ...withoutNulls(textPart.raw) }, textPart.path)),
    audioTokenId: config.number("audio_token_id", 24),
    stacked,
    projectorActivation: readActivation(config, "projector_hidden_act", "gelu"),
    isTied: readAudioTied(config),
  };
}

function withoutNulls(raw: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(raw).filter(([, value]) => value !== null && value !== undefined));
}
