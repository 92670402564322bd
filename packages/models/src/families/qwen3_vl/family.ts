import { qwenFamily } from "../qwen/family.js";
import { QWEN3_COMPONENTS, QWEN3_PREFIXES, QWEN3_VISION } from "../qwen/names.js";

/** Qwen3-VL's components: mergers for the text's first layers (DeepStack) belong to the projector. */
const COMPONENTS = {
  ...QWEN3_COMPONENTS,
  multi_modal_projector: [...QWEN3_COMPONENTS.multi_modal_projector, "model.visual.deepstack_merger_list"],
};
const DEEPSTACK = [8, 16, 24];

/**
 * Qwen3-VL (arXiv:2511.21631), whose tower also feeds the text's first layers (DeepStack). Source: transformers 5.24,
 * `modeling_qwen3_vl.py` and `configuration_qwen3_vl.py`, whose defaults these are.
 */
export const qwen3VlFamily = qwenFamily({
  modelType: "qwen3_vl",
  textType: "qwen3_vl_text",
  imageTokenId: 151655,
  components: COMPONENTS,
  prefixes: QWEN3_PREFIXES,
  vision: { ...QWEN3_VISION, types: ["qwen3_vl_vision", "qwen3_vl"], deepstack: DEEPSTACK },
});

/** The same with a router and experts (30B-A3B, 235B-A22B). Source: transformers 5.24, `modeling_qwen3_vl_moe.py`. */
export const qwen3VlMoeFamily = qwenFamily({
  modelType: "qwen3_vl_moe",
  textType: "qwen3_vl_moe_text",
  imageTokenId: 151655,
  components: COMPONENTS,
  prefixes: QWEN3_PREFIXES,
  vision: { ...QWEN3_VISION, types: ["qwen3_vl_moe_vision", "qwen3_vl_moe"], deepstack: DEEPSTACK },
});
