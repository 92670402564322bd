import { readActivation, type ActivationName } from "../../blocks/activations.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import { readPatchRotary } from "../../reading/patch-rotary.js";

/** Sizes of PaddleOCR-VL's vision tower. */
export interface PaddleOcrVisionConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layerCount: number;
  readonly headCount: number;
  readonly channelCount: number;
  readonly patchSize: number;
  /** Patches a side of the blocks that become one token. */
  readonly merge: number;
  /** Pixels a side of the pictures that the table of positions is for. */
  readonly imageSize: number;
  readonly epsilon: number;
  /** Base of the rotary frequencies. */
  readonly theta: number;
  readonly activation: ActivationName;
}

/**
 * Reads `vision_config`, whose type is that of the whole model in old ones. Defaults: transformers 5.24,
 * `configuration_paddleocr_vl.py`, `PaddleOCRVisionConfig`. @throws THAW_CHECKPOINT_CONFIG
 */
export function readPaddleOcrVision(config: ConfigReader): PaddleOcrVisionConfig {
  config.choice("model_type", ["paddleocr_vl_vision", "paddleocr_vl"], "paddleocr_vl_vision");
  const [hiddenSize, headCount] = [config.size("hidden_size", 1152), config.size("num_attention_heads", 16)];
  const [imageSize, patchSize] = [config.size("image_size", 384), config.size("patch_size", 14)];
  if (imageSize < patchSize)
    config.fail("image_size", "The picture is smaller than a patch.", "Give pixels a side, as many as patch_size.");
  return {
    hiddenSize,
    headCount,
    imageSize,
    patchSize,
    intermediateSize: config.size("intermediate_size", 4304),
    layerCount: config.size("num_hidden_layers", 27),
    channelCount: config.size("num_channels", 3),
    merge: config.size("spatial_merge_size", 2),
    epsilon: config.number("layer_norm_eps", 1e-6),
    theta: readPatchRotary(config, hiddenSize, headCount),
    activation: readActivation(config, "hidden_act", "gelu_pytorch_tanh"),
  };
}
