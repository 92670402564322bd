import { readActivation } from "../../blocks/activations.js";
import { plainMlp } from "../../layers/plain-mlp.js";
import { readTableSide, type VisionForm } from "./vision.js";

/** Owners in Qwen2-VL and Qwen2.5-VL, in published files and in transformers' modules. */
export const QWEN2_COMPONENTS = {
  vision_tower: ["visual.blocks", "visual.patch_embed", "model.visual.patch_embed", "model.visual.blocks"],
  multi_modal_projector: ["visual.merger", "model.visual.merger"],
  language_model: ["lm_head", "model", "model.language_model"],
};
export const QWEN2_PREFIXES = { vision: ["visual", "model.visual"], text: ["model", "model.language_model"] } as const;

/** Owners from Qwen3-VL on. */
export const QWEN3_COMPONENTS = {
  vision_tower: ["model.visual.patch_embed", "model.visual.pos_embed", "model.visual.blocks"],
  multi_modal_projector: ["model.visual.merger"],
  language_model: ["model.language_model", "lm_head"],
};
export const QWEN3_PREFIXES = { vision: ["model.visual"], text: ["model.language_model"] } as const;

/** The tower from Qwen3-VL on: learned positions, resampled. */
export const QWEN3_VISION: Omit<VisionForm, "types"> = {
  width: ["hidden_size", 1152],
  output: ["out_hidden_size", 3584],
  depth: 27,
  patchSize: 16,
  norm: { kind: "layer", epsilon: 1e-6 },
  hasPatchBias: true,
  mergerNames: { norm: "norm", first: "linear_fc1", second: "linear_fc2" },
  block: (config, hiddenSize) =>
    plainMlp({
      hiddenSize,
      intermediateSize: config.size("intermediate_size", 4304),
      activation: readActivation(config, "hidden_act", "gelu_pytorch_tanh"),
      names: { up: "linear_fc1", down: "linear_fc2" },
    }),
  more: (config) => ({ tableSide: readTableSide(config) }),
};
