import type { TextModel } from "../../decoders/text/sizes.js";
import { readTextPart } from "../../decoders/text/text-model.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import { readPaddleOcrVision, type PaddleOcrVisionConfig } from "../../towers/paddleocr/config.js";
import { readTied } from "../llava-names.js";

/** Everything that config.json says about a PaddleOCR-VL model. */
export interface PaddleOcrVlConfig {
  readonly vision: PaddleOcrVisionConfig;
  readonly text: TextModel;
  readonly imageTokenId: number;
  /** Whether the output layer is the embedding; see `readTied`. */
  readonly tied: boolean | "unclear";
}

/**
 * Reads config.json, also the published ones, whose text options are at the top. Names and defaults: transformers 5.24,
 * `configuration_paddleocr_vl.py`. @throws THAW_CHECKPOINT_CONFIG
 */
export function readPaddleOcrVlConfig(config: ConfigReader): PaddleOcrVlConfig {
  return {
    vision: readPaddleOcrVision(config.child("vision_config")),
    text: readTextPart(config, "paddleocr_vl_text"),
    imageTokenId: config.number("image_token_id", 100295),
    tied: readTied(config, "unclear"),
  };
}
