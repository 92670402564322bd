/** A prefix of whole segments as a checkpoint spells it, and as the module tree of transformers 5.23 does. */
export type ModuleName = readonly [checkpoint: string, module: string];

/**
 * Where the modules of LLaVA and its kin are named otherwise than the parameters of a published file: what transformers
 * renames when it loads one. Files that other tools make for modules (adapters) use the module's name.
 */
export const LLAVA_MODULES: readonly ModuleName[] = [
  ["language_model.lm_head", "lm_head"],
  ["language_model.model", "model.language_model"],
  ["language_model", "model.language_model"],
  ["vision_tower.vision_model", "model.vision_tower"],
  ["model.vision_tower.vision_model", "model.vision_tower"],
  ["vision_tower", "model.vision_tower"],
  ["multi_modal_projector", "model.multi_modal_projector"],
];

/** Those of models that hear and do not see. */
export const AUDIO_MODULES: readonly ModuleName[] = [
  ["language_model.lm_head", "lm_head"],
  ["language_model.model", "model.language_model"],
  ["language_model", "model.language_model"],
  ["audio_tower", "model.audio_tower"],
  ["multi_modal_projector", "model.multi_modal_projector"],
];

/** Those of LLaVA-NeXT. */
export const LLAVA_NEXT_MODULES: readonly ModuleName[] = [...LLAVA_MODULES, ["image_newline", "model.image_newline"]];

/** Those of PaddleOCR-VL. */
export const PADDLEOCR_VL_MODULES: readonly ModuleName[] = [
  ["mlp_AR", "model.projector"],
  ["model.projector", "model.projector"],
  ["model", "model.language_model"],
  ["model.language_model", "model.language_model"],
  ["model.visual", "model.visual"],
  ["visual", "model.visual"],
];

/** Those of Qwen2-VL and Qwen2.5-VL. */
export const QWEN2_VL_MODULES: readonly ModuleName[] = [
  ["model", "model.language_model"],
  ["model.language_model", "model.language_model"],
  ["model.visual", "model.visual"],
  ["visual", "model.visual"],
];
