import { readActivation, type ActivationName } from "../../blocks/activations.js";
import type { TextModel } from "../../decoders/text/sizes.js";
import { readTextModel } from "../../decoders/text/text-model.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import { readFeatureStates } from "../../towers/feature-states.js";
import { readInternVitConfig, type InternVitConfig } from "../../towers/internvl/config.js";
import { gridSide } from "../../towers/vit.js";
import { readTied } from "../llava-names.js";

/** Everything that config.json says about an InternVL model. */
export interface InternVlConfig {
  readonly vision: InternVitConfig;
  readonly text: TextModel;
  readonly imageTokenId: number;
  /** Hidden state of the tower that makes the features, from 0. */
  readonly featureState: number;
  /** Whether the norm behind the last layer is part of the features. */
  readonly isNormed: boolean;
  /** Patches a side of the blocks that become one token. */
  readonly merge: number;
  readonly projectorActivation: ActivationName;
  /** Whether the output layer is the embedding; see `readTied`. */
  readonly tied: boolean | "unclear";
}

/**
 * Reads config.json. Names and defaults: transformers 5.24, `configuration_internvl.py`. @throws THAW_CHECKPOINT_CONFIG
 */
export function readInternVlConfig(config: ConfigReader): InternVlConfig {
  const vision = readInternVitConfig(config.child("vision_config"));
  const [featureState, ...others] = readFeatureStates(config, vision.layerCount, -1);
  if (featureState === undefined || others.length > 0)
    return config.fail("vision_feature_layer", "It names several states of the tower.", "Give one of them.");
  config.choice("vision_feature_select_strategy", ["default"], "default");
  return {
    vision,
    text: readTextModel(config.child("text_config"), "qwen2"),
    imageTokenId: config.number("image_token_id", 151667),
    featureState,
    isNormed: (config.raw["vision_feature_layer"] ?? -1) === -1,
    merge: readMerge(config, gridSide(vision)),
    projectorActivation: readActivation(config, "projector_hidden_act", "gelu"),
    tied: readTied(config, "unclear"),
  };
}

/** `downsample_ratio`, the share of patches a side that remain, as patches a side that become one. */
function readMerge(config: ConfigReader, side: number): number {
  const ratio = config.number("downsample_ratio", 0.5);
  const merge = Math.round(1 / ratio);
  if (ratio > 0 && ratio <= 1 && Math.abs(merge * ratio - 1) < 1e-9 && side % merge === 0) return merge;
  return config.fail(
    "downsample_ratio",
    `The ${side} patches a side of a tile do not become whole blocks by the ratio ${ratio}.`,
    "Give 1 divided by a number that divides the patches a side.",
  );
}
