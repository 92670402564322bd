import { readActivation } from "../../blocks/activations.js";
import { plainMlp } from "../../layers/plain-mlp.js";
import { QWEN2_VL_MODULES } from "../../owners/module-names.js";
import { qwenFamily } from "../qwen/family.js";
import { QWEN2_COMPONENTS, QWEN2_PREFIXES } from "../qwen/names.js";

/**
 * Qwen2-VL (Wang et al., arXiv:2409.12191). Source: transformers 5.24, `modeling_qwen2_vl.py` and
 * `configuration_qwen2_vl.py`, whose defaults these are. Reads published names and those of transformers 5's modules.
 */
export const qwen2VlFamily = qwenFamily({
  modelType: "qwen2_vl",
  textType: "qwen2_vl_text",
  imageTokenId: 151655,
  components: QWEN2_COMPONENTS,
  moduleNames: QWEN2_VL_MODULES,
  prefixes: QWEN2_PREFIXES,
  vision: {
    types: ["qwen2_vl_vision", "qwen2_vl"],
    width: ["embed_dim", 1280],
    output: ["hidden_size", 3584],
    depth: 32,
    patchSize: 14,
    norm: { kind: "layer", epsilon: 1e-6 },
    hasPatchBias: false,
    mergerNames: { norm: "ln_q", first: "mlp.0", second: "mlp.2" },
    block: (config, hiddenSize) =>
      plainMlp({
        hiddenSize,
        intermediateSize: Math.floor(hiddenSize * config.number("mlp_ratio", 4)),
        activation: readActivation(config, "hidden_act", "quick_gelu"),
      }),
  },
});
