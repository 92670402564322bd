import type { TextModel } from "../../decoders/text/sizes.js";
import { readTextPart } from "../../decoders/text/text-model.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import { readTied } from "../llava-names.js";
import { readQwenVision, type QwenVision, type VisionForm } from "./vision.js";

/** Everything that config.json says about a model of Qwen's that sees. */
export interface QwenConfig {
  readonly vision: QwenVision;
  readonly text: TextModel;
  readonly imageTokenId: number;
  /** Whether the output layer is the embedding; see `readTied`. */
  readonly tied: boolean | "unclear";
}

/** What a generation's configs are like. */
export interface QwenConfigForm {
  readonly vision: VisionForm;
  /** Type of its text model. */
  readonly textType: string;
  readonly imageTokenId: number;
}

/** Reads config.json, also those whose text options are at the top. @throws THAW_CHECKPOINT_CONFIG */
export function readQwenConfig(config: ConfigReader, form: QwenConfigForm): QwenConfig {
  const text = readTextPart(config, form.textType);
  const vision = readQwenVision(config.child("vision_config"), form.vision);
  if (vision.outputSize !== text.options.hiddenSize)
    config
      .child("vision_config")
      .fail(
        form.vision.output[0],
        `The merger makes ${vision.outputSize} columns, but the text model reads ${text.options.hiddenSize}.`,
        "Give the hidden_size of the text model.",
      );
  const { deepstack } = vision;
  if (deepstack.length > text.options.layers.length)
    config
      .child("vision_config")
      .fail(
        "deepstack_visual_indexes",
        `${deepstack.length} mergers feed the first layers of the text, which has ${text.options.layers.length}.`,
        "Give as many as the text has layers, or fewer.",
      );
  return {
    vision,
    text,
    imageTokenId: config.number("image_token_id", form.imageTokenId),
    tied: readTied(config, false),
  };
}
