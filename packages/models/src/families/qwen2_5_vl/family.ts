import { readActivation } from "../../blocks/activations.js";
import { gatedMlp } from "../../layers/gated-mlp.js";
import { QWEN2_VL_MODULES } from "../../owners/module-names.js";
import { qwenFamily } from "../qwen/family.js";
import { QWEN2_COMPONENTS, QWEN2_PREFIXES } from "../qwen/names.js";
import { readLayers } from "../qwen/vision.js";

/**
 * Qwen2.5-VL (arXiv:2502.13923), most of whose tower's layers see windows alone. Source: transformers 5.24,
 * `modeling_qwen2_5_vl.py` and `configuration_qwen2_5_vl.py`, whose defaults these are. Reads published names and those
 * of transformers 5's modules.
 */
export const qwen25VlFamily = qwenFamily({
  modelType: "qwen2_5_vl",
  textType: "qwen2_5_vl_text",
  imageTokenId: 151655,
  components: QWEN2_COMPONENTS,
  moduleNames: QWEN2_VL_MODULES,
  prefixes: QWEN2_PREFIXES,
  vision: {
    types: ["qwen2_5_vl_vision", "qwen2_5_vl"],
    width: ["hidden_size", 3584],
    output: ["out_hidden_size", 3584],
    depth: 32,
    patchSize: 14,
    norm: { epsilon: 1e-6 },
    hasPatchBias: false,
    mergerNames: { norm: "ln_q", first: "mlp.0", second: "mlp.2" },
    block: (config, hiddenSize) =>
      gatedMlp({
        hiddenSize,
        intermediateSize: config.size("intermediate_size", 3420),
        activation: readActivation(config, "hidden_act", "silu"),
        hasBias: true,
      }),
    more(config, { merge, patchSize }) {
      const pixels = config.size("window_size", 112);
      const side = Math.floor(Math.floor(pixels / merge) / patchSize);
      if (side < 1)
        config.fail(
          "window_size",
          `A window of ${pixels} pixels holds no block of ${merge} patches of ${patchSize} pixels a side.`,
          `Give ${merge * patchSize} or more.`,
        );
      return {
        windows: { side, full: readLayers(config, "fullatt_block_indexes", [7, 15, 23, 31]) },
      };
    },
  },
});
