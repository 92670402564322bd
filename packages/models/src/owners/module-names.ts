/** A prefix of whole segments as a checkpoint spells it, and as the module tree of transformers 5.23 does. */
export type ModuleName = readonly [checkpoint: string, module: string];

const LLAVA: readonly ModuleName[] = [
  ["language_model.lm_head", "lm_head"],
  ["language_model.model", "model.language_model"],
  ["language_model", "model.language_model"],
  ["vision_tower.vision_model", "model.vision_tower"],
  ["model.vision_tower.vision_model", "model.vision_tower"],
  ["vision_tower", "model.vision_tower"],
  ["multi_modal_projector", "model.multi_modal_projector"],
];

const QWEN2_VL: readonly ModuleName[] = [
  ["model", "model.language_model"],
  ["model.language_model", "model.language_model"],
  ["model.visual", "model.visual"],
  ["visual", "model.visual"],
];

/**
 * Where modules are named otherwise than the checkpoint's parameters, by model type: what transformers renames when it
 * loads a published file. Files that other tools make for modules (adapters) use the module's name. A type that is
 * absent renames nothing.
 */
export const MODULE_NAMES: Readonly<Record<string, readonly ModuleName[]>> = {
  llava: LLAVA,
  llava_next: [...LLAVA, ["image_newline", "model.image_newline"]],
  paligemma: LLAVA,
  qwen2_vl: QWEN2_VL,
  qwen2_5_vl: QWEN2_VL,
};
