import type { ConfigReader } from "../../reading/config-reader.js";
import { readPatchRotary } from "../../reading/patch-rotary.js";
import { readTowerSizes, type TowerSizes } from "../sizes.js";

/** Sizes of PaddleOCR-VL's vision tower. */
export interface PaddleOcrVisionConfig extends TowerSizes {
  readonly patchSize: number;
  /** Patches a side of the blocks that become one token. */
  readonly merge: number;
  /** Pixels a side of the pictures that the table of positions is for. */
  readonly imageSize: number;
  readonly epsilon: number;
  /** Base of the rotary frequencies. */
  readonly theta: number;
}

/**
 * Reads `vision_config`, whose type is that of the whole model in old ones. Defaults: transformers 5.24,
 * `configuration_paddleocr_vl.py`, `PaddleOCRVisionConfig`. @throws THAW_CHECKPOINT_CONFIG
 */
export function readPaddleOcrVision(config: ConfigReader): PaddleOcrVisionConfig {
  config.choice("model_type", ["paddleocr_vl_vision", "paddleocr_vl"], "paddleocr_vl_vision");
  const sizes = readTowerSizes(config, {
    hiddenSize: 1152,
    intermediateSize: 4304,
    layerCount: 27,
    headCount: 16,
    activation: "gelu_pytorch_tanh",
  });
  const [imageSize, patchSize] = [config.size("image_size", 384), config.size("patch_size", 14)];
  if (imageSize < patchSize)
    config.fail("image_size", "The picture is smaller than a patch.", "Give pixels a side, as many as patch_size.");
  return {
    ...sizes,
    imageSize,
    patchSize,
    merge: config.size("spatial_merge_size", 2),
    epsilon: config.number("layer_norm_eps", 1e-6),
    theta: readPatchRotary(config, sizes.hiddenSize, sizes.headCount),
  };
}
