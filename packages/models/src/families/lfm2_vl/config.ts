import { readActivation, type ActivationName } from "../../blocks/activations.js";
import type { TextModel } from "../../decoders/text/sizes.js";
import { readTextModel } from "../../decoders/text/text-model.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import { readSiglip2Config, type Siglip2Config } from "../../towers/siglip2/siglip2.js";
import { readTied } from "../llava-names.js";

/** Everything that config.json says about an LFM2-VL model. */
export interface Lfm2VlConfig {
  readonly vision: Siglip2Config;
  readonly text: TextModel;
  readonly imageTokenId: number;
  /** Patches a side of the blocks that become one token. */
  readonly merge: number;
  readonly projector: {
    readonly innerSize: number;
    readonly activation: ActivationName;
    readonly hasBias: boolean;
    readonly hasNorm: boolean;
  };
  /** Whether the output layer is the embedding; see `readTied`. */
  readonly tied: boolean | "unclear";
}

/**
 * Reads config.json. Names and defaults: transformers 5.24, `configuration_lfm2_vl.py`. @throws THAW_CHECKPOINT_CONFIG
 */
export function readLfm2VlConfig(config: ConfigReader): Lfm2VlConfig {
  if (config.number("vision_feature_layer", -1) !== -1)
    config.fail("vision_feature_layer", "The features are the tower's last state.", "Set it to -1, or leave it out.");
  return {
    vision: readSiglip2Config(config.child("vision_config")),
    text: readTextModel(config.child("text_config"), "lfm2"),
    imageTokenId: config.number("image_token_id", config.number("image_token_index", 396)),
    merge: config.size("downsample_factor", 2),
    projector: {
      innerSize: config.size("projector_hidden_size", 2560),
      activation: readActivation(config, "projector_hidden_act", "gelu"),
      hasBias: config.boolean("projector_bias", true),
      hasNorm: config.boolean("projector_use_layernorm", true),
    },
    tied: readTied(config, true),
  };
}
