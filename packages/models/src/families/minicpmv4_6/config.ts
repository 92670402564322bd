import type { TextModel } from "../../decoders/text/sizes.js";
import { readTextModel } from "../../decoders/text/text-model.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import { readMiniCpmVisionConfig, type MiniCpmVisionConfig } from "../../towers/minicpm/config.js";
import { readTied } from "../llava-names.js";

/** Everything that config.json says about a MiniCPM-V 4.6 model. */
export interface MiniCpmConfig {
  readonly vision: MiniCpmVisionConfig;
  readonly text: TextModel;
  readonly imageTokenId: number;
  /** Patches a side of what becomes one token. */
  readonly perToken: number;
  /** Whether the output layer is the embedding; see `readTied`. */
  readonly tied: boolean | "unclear";
}

/**
 * Reads config.json. Names and defaults: transformers 5.24, `configuration_minicpmv4_6.py`. @throws
 * THAW_CHECKPOINT_CONFIG
 */
export function readMiniCpmConfig(config: ConfigReader): MiniCpmConfig {
  const vision = readMiniCpmVisionConfig(config);
  if (!config.has("image_token_id"))
    config.fail("image_token_id", "The token for which features stand is missing.", "Give its id.");
  return {
    vision,
    text: readTextModel(config.child("text_config"), "qwen3_5_text"),
    imageTokenId: config.number("image_token_id", 0),
    perToken: vision.mergesBehind === undefined ? 2 : 4,
    tied: readTied(config, false),
  };
}
