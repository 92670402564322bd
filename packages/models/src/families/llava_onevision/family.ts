import { defineFamily } from "../../contract/define-family.js";
import { LLAVA_NEXT_MODULES } from "../../owners/module-names.js";
import { ANYRES_COMPONENTS, anyresModel } from "../llava_next/family.js";
import { readLlavaOnevisionConfig } from "./config.js";
import { loadLlavaOnevisionProcessor } from "./processor.js";

/**
 * LLaVA-OneVision (arXiv:2408.03326): SigLIP on an overview and tiles of each picture, two-layer projector, rows packed
 * without padding and shrunk where they are many, Qwen2. Pictures alone. Source: transformers 5.24,
 * `modeling_llava_onevision.py`.
 */
export const llavaOnevisionFamily = defineFamily({
  modelType: "llava_onevision",
  components: ANYRES_COMPONENTS,
  moduleNames: LLAVA_NEXT_MODULES,
  read: readLlavaOnevisionConfig,
  build: anyresModel,
  processor: loadLlavaOnevisionProcessor,
});
