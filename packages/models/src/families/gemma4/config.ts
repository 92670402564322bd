import type { TextModel } from "../../decoders/text/sizes.js";
import { readTextModel } from "../../decoders/text/text-model.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import { readGemma4VisionConfig, type Gemma4VisionConfig } from "../../towers/gemma4/config.js";
import { readTied } from "../llava-names.js";

/** Everything that config.json says about a Gemma 4 model. */
export interface Gemma4Config {
  readonly vision: Gemma4VisionConfig;
  readonly text: TextModel;
  readonly imageTokenId: number;
  /** Whether pictures see themselves both ways, on sliding layers. */
  readonly seesBothWays: boolean;
  /** Whether files have a tower for sound. It is kept as it is. */
  readonly hasAudio: boolean;
  /** Whether the output layer is the embedding; see `readTied`. */
  readonly tied: boolean | "unclear";
}

/**
 * Reads config.json. Names and defaults: transformers 5.24, `configuration_gemma4.py`. @throws THAW_CHECKPOINT_CONFIG
 */
export function readGemma4Config(config: ConfigReader): Gemma4Config {
  if (config.raw["vision_config"] === null)
    config.fail("vision_config", "A model without a tower for pictures is not supported.", "Give the tower's config.");
  const text = config.child("text_config");
  return {
    vision: readGemma4VisionConfig(config.child("vision_config")),
    text: readTextModel(text, "gemma4_text"),
    imageTokenId: config.number("image_token_id", 258880),
    seesBothWays: text.raw["use_bidirectional_attention"] === "vision",
    hasAudio: config.has("audio_config"),
    tied: readTied(config, true),
  };
}
