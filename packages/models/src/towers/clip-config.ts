import { checkPictures } from "./picture-sizes.js";
import { readTowerSizes, type TowerSizes } from "./sizes.js";
import type { PictureSize } from "./vit.js";
import type { ConfigReader } from "../reading/config-reader.js";

/** Sizes of a CLIP vision tower. */
export interface ClipConfig extends PictureSize, TowerSizes {
  readonly epsilon: number;
}

/**
 * Reads `vision_config`. Defaults: transformers 5.23, `configuration_clip.py`, `CLIPVisionConfig`. @throws
 * THAW_CHECKPOINT_CONFIG
 */
export function readClipConfig(config: ConfigReader): ClipConfig {
  config.choice("model_type", ["clip_vision_model"], "clip_vision_model");
  const clip: ClipConfig = {
    ...readTowerSizes(config, {
      hiddenSize: 768,
      intermediateSize: 3072,
      layerCount: 12,
      headCount: 12,
      activation: "quick_gelu",
    }),
    imageSize: config.size("image_size", 224),
    patchSize: config.size("patch_size", 32),
    epsilon: config.number("layer_norm_eps", 1e-5),
  };
  checkPictures(config, clip);
  return clip;
}
