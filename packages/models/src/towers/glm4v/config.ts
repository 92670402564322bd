import { readActivation, type ActivationName } from "../../blocks/activations.js";
import { sizeUnder, type ConfigReader } from "../../reading/config-reader.js";
import { readPatchRotary } from "../../reading/patch-rotary.js";

/** Sizes of the vision tower of GLM-4V or GLM-OCR, and of the merger behind it. */
export interface Glm4vVisionConfig {
  readonly hiddenSize: number;
  /** Width of the MLP in a layer. */
  readonly layerWidth: number;
  /** Width of the MLP in the merger. */
  readonly mergerWidth: number;
  /** Columns of the merger's output: those of the text model. */
  readonly outputSize: number;
  readonly layerCount: number;
  readonly headCount: number;
  readonly channelCount: number;
  readonly patchSize: number;
  /** Frames of a patch. */
  readonly frames: number;
  /** Patches a side of the blocks that become one token. */
  readonly merge: number;
  /** Pixels a side of the pictures that the table of positions is for. */
  readonly imageSize: number;
  readonly epsilon: number;
  /** Base of the rotary frequencies. */
  readonly theta: number;
  readonly activation: ActivationName;
  /** Biases on queries, keys and values; of GLM-OCR also on the output of attention and on the MLPs of layers. */
  readonly hasBias: boolean;
  /** GLM-OCR: norms on heads, neither learned positions nor a norm behind the patches. */
  readonly isOcr: boolean;
}

/** Defaults: transformers 5.24, `configuration_glm4v.py` and `configuration_glm_ocr.py`. */
const GLM4V = { hiddenSize: 1536, headCount: 12, outputSize: 4096, intermediateSize: 13696, hasBias: false };
const OCR = { hiddenSize: 1024, headCount: 16, outputSize: 1536, intermediateSize: 4096, hasBias: true };

/** Reads `vision_config` of a model type, GLM-OCR's or another. @throws THAW_CHECKPOINT_CONFIG */
export function readGlm4vVision(config: ConfigReader, modelType: string): Glm4vVisionConfig {
  const isOcr = modelType === "glm_ocr";
  const type = `${modelType}_vision`;
  config.choice("model_type", [type, modelType], type);
  const defaults = isOcr ? OCR : GLM4V;
  const hiddenSize = config.size("hidden_size", defaults.hiddenSize);
  const headCount = sizeUnder(config, "num_heads", "num_attention_heads", defaults.headCount);
  const outputSize = config.size("out_hidden_size", defaults.outputSize);
  const intermediateSize = config.size("intermediate_size", defaults.intermediateSize);
  const channelCount = config.size("in_channels", 3);
  const [imageSize, patchSize] = [config.size("image_size", 336), config.size("patch_size", 14)];
  if (imageSize < patchSize)
    config.fail("image_size", "The picture is smaller than a patch.", "Give pixels a side, as many as patch_size.");
  return {
    hiddenSize,
    headCount,
    outputSize,
    layerWidth: isOcr ? intermediateSize : outputSize,
    mergerWidth: isOcr ? outputSize * channelCount : intermediateSize,
    layerCount: sizeUnder(config, "depth", "num_hidden_layers", 24),
    channelCount,
    patchSize,
    frames: config.size("temporal_patch_size", 2),
    merge: config.size("spatial_merge_size", 2),
    imageSize,
    epsilon: config.number("rms_norm_eps", 1e-5),
    theta: readPatchRotary(config, hiddenSize, headCount),
    activation: readActivation(config, "hidden_act", "silu"),
    hasBias: config.boolean("attention_bias", defaults.hasBias),
    isOcr,
  };
}
