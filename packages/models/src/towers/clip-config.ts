import { readActivation, type ActivationName } from "../blocks/activations.js";
import { checkPictures } from "./picture-sizes.js";
import type { PictureSize } from "./vit.js";
import type { ConfigReader } from "../reading/config-reader.js";

/** Sizes of a CLIP vision tower. */
export interface ClipConfig extends PictureSize {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layerCount: number;
  readonly headCount: number;
  readonly epsilon: number;
  readonly activation: ActivationName;
}

/**
 * Reads `vision_config`. Defaults: transformers 5.23, `configuration_clip.py`, `CLIPVisionConfig`. @throws
 * THAW_CHECKPOINT_CONFIG
 */
export function readClipConfig(config: ConfigReader): ClipConfig {
  config.choice("model_type", ["clip_vision_model"], "clip_vision_model");
  const clip: ClipConfig = {
    hiddenSize: config.size("hidden_size", 768),
    intermediateSize: config.size("intermediate_size", 3072),
    layerCount: config.size("num_hidden_layers", 12),
    headCount: config.size("num_attention_heads", 12),
    channelCount: config.size("num_channels", 3),
    imageSize: config.size("image_size", 224),
    patchSize: config.size("patch_size", 32),
    epsilon: config.number("layer_norm_eps", 1e-5),
    activation: readActivation(config, "hidden_act", "quick_gelu"),
  };
  checkPictures(config, clip);
  return clip;
}
