import { qwenFamily } from "../qwen/family.js";
import { QWEN3_COMPONENTS, QWEN3_PREFIXES, QWEN3_VISION } from "../qwen/names.js";

/**
 * Qwen3.5 (3.6 and 3.8 too): Qwen3-VL's tower without DeepStack, a text model with recurrent layers. Files may hold
 * parts for predicting several tokens, which nothing here reads. Source: transformers 5.24, `modeling_qwen3_5.py` and
 * `configuration_qwen3_5.py`, whose defaults these are.
 */
export const qwen35Family = qwenFamily({
  modelType: "qwen3_5",
  textType: "qwen3_5_text",
  imageTokenId: 248056,
  components: QWEN3_COMPONENTS,
  ignoredNames: ["mtp"],
  prefixes: QWEN3_PREFIXES,
  vision: { ...QWEN3_VISION, types: ["qwen3_5_vision", "qwen3_5"] },
});

/**
 * Qwen3.5 with a router and experts, which files hold one by one or all of a layer in one tensor. Source: transformers
 * 5.24, `modeling_qwen3_5_moe.py`.
 */
export const qwen35MoeFamily = qwenFamily({
  modelType: "qwen3_5_moe",
  textType: "qwen3_5_moe_text",
  imageTokenId: 248056,
  components: QWEN3_COMPONENTS,
  ignoredNames: ["mtp"],
  prefixes: QWEN3_PREFIXES,
  vision: { ...QWEN3_VISION, types: ["qwen3_5_moe_vision", "qwen3_5_moe"] },
});
