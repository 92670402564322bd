import type { TextModel } from "../../decoders/text/sizes.js";
import { readTextModel } from "../../decoders/text/text-model.js";
import { configReader, type ConfigReader } from "../../reading/config-reader.js";
import { type Idefics3VisionConfig, readIdefics3VisionConfig } from "../../towers/idefics3/idefics3.js";
import { readTied } from "../llava-names.js";

/** Everything that config.json says about an Idefics3 or SmolVLM model. */
export interface Idefics3Config {
  readonly vision: Idefics3VisionConfig;
  readonly text: TextModel;
  readonly imageTokenId: number;
  /** Patches a side of the blocks that become one token. */
  readonly merge: number;
  /** Whether the output layer is the embedding; see `readTied`. */
  readonly tied: boolean | "unclear";
}

/** The text model of a config that says nothing of it. */
const DEFAULT_TEXT = { model_type: "llama", rms_norm_eps: 1e-5 };

/**
 * Reads config.json. Names and defaults: transformers 5.24, `configuration_idefics3.py` and `configuration_smolvlm.py`,
 * which are the same. @throws THAW_CHECKPOINT_CONFIG
 */
export function readIdefics3Config(config: ConfigReader): Idefics3Config {
  return {
    vision: readIdefics3VisionConfig(config.child("vision_config")),
    text: readTextModel(
      config.has("text_config") ? config.child("text_config") : configReader(config.file, DEFAULT_TEXT, "text_config"),
    ),
    imageTokenId: config.number("image_token_id", 128257),
    merge: config.size("scale_factor", 2),
    tied: readTied(config, false),
  };
}
