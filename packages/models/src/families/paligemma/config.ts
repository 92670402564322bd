import type { TextModel } from "../../decoders/text/sizes.js";
import { readTextModel } from "../../decoders/text/text-model.js";
import { configReader, type ConfigReader } from "../../reading/config-reader.js";
import { readSiglipConfig, type SiglipConfig } from "../../towers/siglip.js";
import { readTied } from "../llava-names.js";

/** Everything that config.json says about a PaliGemma model. */
export interface PaliGemmaConfig {
  readonly vision: SiglipConfig;
  readonly text: TextModel;
  readonly imageTokenId: number;
  /** Whether the output layer is the embedding; see `readTied`. */
  readonly tied: boolean | "unclear";
}

/** Parts that a config leaves out as a whole. */
const DEFAULT_VISION = {
  hidden_size: 1152,
  intermediate_size: 4096,
  patch_size: 14,
  image_size: 224,
  num_hidden_layers: 27,
  num_attention_heads: 16,
};
const DEFAULT_TEXT = {
  hidden_size: 2048,
  num_hidden_layers: 18,
  intermediate_size: 16384,
  num_attention_heads: 8,
  num_key_value_heads: 1,
  vocab_size: 257152,
};

/**
 * Reads config.json. Names and defaults: transformers 5.24, `configuration_paligemma.py`, and published configs.
 * @throws THAW_CHECKPOINT_CONFIG
 */
export function readPaliGemmaConfig(config: ConfigReader): PaliGemmaConfig {
  const part = (key: string, fallback: Readonly<Record<string, unknown>>): ConfigReader =>
    config.has(key) ? config.child(key) : configReader(config.file, fallback, key);
  // What sees both ways is the prefix, whatever the text's own config says (`PaliGemmaModel.forward`).
  const { use_bidirectional_attention: _bothWays, ...rawText } = part("text_config", DEFAULT_TEXT).raw;
  const text = readTextModel(configReader(config.file, rawText, "text_config"), "gemma");
  const width = config.size("projection_dim", 2048);
  if (width !== text.options.hiddenSize)
    config.fail(
      "projection_dim",
      `The projector makes ${width} columns, but the text model reads ${text.options.hiddenSize}.`,
      "Give text_config.hidden_size.",
    );
  return {
    vision: readSiglipConfig(part("vision_config", DEFAULT_VISION)),
    text: {
      ...text,
      options: { ...text.options, kinds: text.options.kinds.map((kind) => ({ ...kind, bothWays: "whole" })) },
    },
    imageTokenId: config.number(config.has("image_token_id") ? "image_token_id" : "image_token_index", 256000),
    tied: readTied(config, true),
  };
}
