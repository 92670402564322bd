import { configReader, type ConfigReader } from "../../reading/config-reader.js";
import { readGemma, readGemma2, readGemma3 } from "./gemma.js";
import { GLM_TEXT, readGlmText } from "./glm.js";
import { readGlmMoeText } from "./glm-moe.js";
import { readGemma4, readGemma4Unified } from "./gemma4.js";
import { readLfm2 } from "./lfm2.js";
import { LLAMA_LIKE, readLlamaLike } from "./llama-like.js";
import { QWEN35_TYPES, readQwen35 } from "./qwen35.js";
import type { TextModel } from "./sizes.js";

const READERS: Readonly<Record<string, (config: ConfigReader, modelType: string) => TextModel>> = {
  ...Object.fromEntries(LLAMA_LIKE.map((modelType) => [modelType, readLlamaLike])),
  gemma: readGemma,
  gemma2: readGemma2,
  gemma3_text: readGemma3,
  ...Object.fromEntries(GLM_TEXT.map((modelType) => [modelType, readGlmText])),
  glm4v_moe_text: readGlmMoeText,
  gemma4_text: readGemma4,
  gemma4_unified_text: readGemma4Unified,
  lfm2: readLfm2,
  ...Object.fromEntries(QWEN35_TYPES.map((modelType) => [modelType, readQwen35])),
};

/** Model types whose layers may have sizes of their own. */
const PER_LAYER_TYPES: readonly string[] = ["gemma4_text", "gemma4_unified_text"];

/** Model types of text models that a decoder is made for. */
export const TEXT_MODEL_TYPES: readonly string[] = Object.keys(READERS);

/**
 * Reads the config of a text model, `text_config` of a family: names and defaults of transformers 5.24 and of published
 * configs. An option that changes numbers is supported or refused by name. @throws THAW_CHECKPOINT_CONFIG
 */
export function readTextModel(config: ConfigReader, fallback = "llama"): TextModel {
  const modelType = config.choice("model_type", TEXT_MODEL_TYPES, fallback);
  if (!PER_LAYER_TYPES.includes(modelType) && Object.keys(config.child("per_layer_config").raw).length > 0)
    config.fail(
      "per_layer_config",
      "Layers with options of their own are not supported in this type of model.",
      `Leave it out. Supported in: ${PER_LAYER_TYPES.join(", ")}.`,
    );
  return READERS[modelType]!(config, modelType);
}

/**
 * Reads the text model of a family whose old configs have its options at the top: `text_config`, or the whole config
 * as one of `modelType`. @throws THAW_CHECKPOINT_CONFIG
 */
export function readTextPart(config: ConfigReader, modelType: string): TextModel {
  return config.has("text_config")
    ? readTextModel(config.child("text_config"), modelType)
    : readTextModel(configReader(config.file, { ...config.raw, model_type: modelType }, config.path));
}
