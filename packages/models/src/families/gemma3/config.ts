import type { TextModel } from "../../decoders/text/sizes.js";
import { readTextModel } from "../../decoders/text/text-model.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import { readSiglipConfig, type SiglipConfig } from "../../towers/siglip.js";
import { gridSide } from "../../towers/vit.js";
import { readTied } from "../llava-names.js";

/** Everything that config.json says about a Gemma 3 model. */
export interface Gemma3Config {
  readonly vision: SiglipConfig;
  readonly text: TextModel;
  readonly imageTokenId: number;
  /** Tokens a side that a picture, or a part of one, becomes. */
  readonly tokensPerSide: number;
  /** Whether the output layer is the embedding; see `readTied`. */
  readonly tied: boolean | "unclear";
}

/**
 * Reads config.json. Names and defaults: transformers 5.24, `configuration_gemma3.py`, and published configs.
 * @throws THAW_CHECKPOINT_CONFIG
 */
export function readGemma3Config(config: ConfigReader): Gemma3Config {
  const vision = readSiglipConfig(config.child("vision_config"));
  const count = config.size("mm_tokens_per_image", 256);
  const tokensPerSide = Math.floor(Math.sqrt(count));
  if (tokensPerSide ** 2 !== count || tokensPerSide > gridSide(vision))
    config.fail(
      "mm_tokens_per_image",
      `A grid of ${gridSide(vision)} patches a side does not become ${count} tokens.`,
      "Give the square of a number that is at most the patches a side.",
    );
  return {
    vision,
    text: readTextModel(config.child("text_config"), "gemma3_text"),
    imageTokenId: config.number(config.has("image_token_id") ? "image_token_id" : "image_token_index", 262144),
    tokensPerSide,
    tied: readTied(config, true),
  };
}
