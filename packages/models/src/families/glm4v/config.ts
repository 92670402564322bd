import type { TextModel } from "../../decoders/text/sizes.js";
import { readTextPart } from "../../decoders/text/text-model.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import { readGlm4vVision, type Glm4vVisionConfig } from "../../towers/glm4v/config.js";
import { readTied } from "../llava-names.js";

/** Model types of GLM's vision-language models; `glm46v` is `glm4v` under another name. */
export type Glm4vType = "glm4v" | "glm46v" | "glm4v_moe" | "glm_ocr";

const IMAGE_TOKEN_IDS: Readonly<Record<Glm4vType, number>> = {
  glm4v: 151343,
  glm46v: 151343,
  glm4v_moe: 151363,
  glm_ocr: 59280,
};

/** Everything that config.json says about such a model. */
export interface Glm4vConfig {
  readonly vision: Glm4vVisionConfig;
  readonly text: TextModel;
  readonly imageTokenId: number;
  /** Whether the output layer is the embedding; see `readTied`. */
  readonly tied: boolean | "unclear";
}

/**
 * Reads config.json, also those whose text options are at the top. Names and defaults: transformers 5.24,
 * `configuration_glm4v.py`, `configuration_glm46v.py`, `configuration_glm4v_moe.py`, `configuration_glm_ocr.py`.
 * @throws THAW_CHECKPOINT_CONFIG
 */
export function readGlm4vConfig(config: ConfigReader, type: Glm4vType): Glm4vConfig {
  const parts = type === "glm46v" ? "glm4v" : type;
  const vision = readGlm4vVision(config.child("vision_config"), parts);
  const text = readTextPart(config, `${parts}_text`);
  if (vision.outputSize !== text.options.hiddenSize)
    config
      .child("vision_config")
      .fail(
        "out_hidden_size",
        `The tower gives ${vision.outputSize} columns, but the text model has ${text.options.hiddenSize}.`,
        "Give the hidden_size of the text model.",
      );
  return {
    vision,
    text,
    imageTokenId: config.number("image_token_id", IMAGE_TOKEN_IDS[type]),
    tied: readTied(config, false),
  };
}
