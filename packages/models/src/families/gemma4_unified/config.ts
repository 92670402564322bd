import type { TextModel } from "../../decoders/text/sizes.js";
import { readTextModel } from "../../decoders/text/text-model.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import { readPixelBlocksConfig, type PixelBlocksConfig } from "../../towers/gemma4/blocks.js";
import { readTied } from "../llava-names.js";

/** Everything that config.json says about a Gemma 4 model without a tower. */
export interface Gemma4UnifiedConfig {
  readonly vision: PixelBlocksConfig;
  readonly text: TextModel;
  readonly imageTokenId: number;
  /** Whether pictures see themselves both ways, on sliding layers. */
  readonly seesBothWays: boolean;
  /** Whether files have a matrix for sound. It is kept as it is. */
  readonly hasAudio: boolean;
  /** Whether the output layer is the embedding; see `readTied`. */
  readonly tied: boolean | "unclear";
}

/**
 * Reads config.json. Names and defaults: transformers 5.24, `configuration_gemma4_unified.py`. @throws
 * THAW_CHECKPOINT_CONFIG
 */
export function readGemma4UnifiedConfig(config: ConfigReader): Gemma4UnifiedConfig {
  if (config.raw["vision_config"] === null)
    config.fail("vision_config", "A model that reads no pictures is not supported.", "Give the config of its blocks.");
  const text = config.child("text_config");
  return {
    vision: readPixelBlocksConfig(config.child("vision_config")),
    text: readTextModel(text, "gemma4_unified_text"),
    imageTokenId: config.number("image_token_id", 258880),
    seesBothWays: (text.raw["use_bidirectional_attention"] ?? "vision") === "vision",
    hasAudio: config.has("audio_config"),
    tied: readTied(config, true),
  };
}
