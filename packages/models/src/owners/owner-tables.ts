import { table, type DocumentedOwnerTable } from "./owner-table.js";

/**
 * Components of model types that Thaw does not run and people fine-tune with LLaMA-Factory and ms-swift, for planning
 * and checking their checkpoints from the headers alone. A type that it runs says them in its family. Prefixes are of
 * whole segments, the longest wins. Both the names of published files and those of the modules in transformers 5.23 are
 * here (files saved by transformers 5 may have either). Judged from the module classes of transformers 5.23; `doubt`
 * marks what is a matter of judgement or was taken from published names alone.
 */
export const OWNER_TABLES: readonly DocumentedOwnerTable[] = [
  table(
    "dots_ocr",
    {
      vision_tower: "vision_tower",
      multi_modal_projector: "vision_tower.merger",
      language_model: "model lm_head",
    },
    { doubt: "not in transformers; published names only" },
  ),
  table(
    "gemma3n",
    {
      vision_tower: "model.vision_tower",
      multi_modal_projector: "model.embed_vision",
      audio_tower: "model.audio_tower",
      audio_projector: "model.embed_audio",
      language_model: "model.language_model lm_head",
    },
    { doubt: "embed_vision, embed_audio: each also holds an embedding table of its own for hard tokens" },
  ),
  table(
    "interns1",
    {
      vision_tower: "model.vision_tower",
      multi_modal_projector: "model.multi_modal_projector",
      language_model: "model.language_model lm_head",
    },
    { doubt: "not in transformers; published names only" },
  ),
  table(
    "Keye",
    {
      vision_tower: "visual",
      multi_modal_projector: "mlp_AR",
      language_model: "model lm_head",
    },
    { doubt: "not in transformers; published names only" },
  ),
  table(
    "kimi_vl",
    {
      vision_tower: "vision_tower",
      multi_modal_projector: "multi_modal_projector",
      language_model: "language_model",
    },
    { doubt: "not in transformers; published names only" },
  ),
  table(
    "llava_next_video",
    {
      vision_tower: "vision_tower model.vision_tower",
      multi_modal_projector: "image_newline multi_modal_projector model.image_newline model.multi_modal_projector",
      language_model: "language_model model.language_model lm_head",
    },
    { doubt: "image_newline: a single vector added by the packing of tiles; trained with the projector here" },
  ),
  table(
    "minicpmo",
    {
      vision_tower: "vpm",
      multi_modal_projector: "resampler",
      audio_tower: "apm",
      audio_projector: "audio_projection_layer",
      language_model: "llm",
      speech_decoder: "tts",
    },
    { doubt: "not in transformers; published names only" },
  ),
  table(
    "minicpmv",
    {
      vision_tower: "vpm",
      multi_modal_projector: "resampler",
      language_model: "llm",
    },
    { doubt: "not in transformers; published names only" },
  ),
  table(
    "mllama",
    {
      vision_tower: "vision_model model.vision_model",
      multi_modal_projector: "multi_modal_projector model.multi_modal_projector",
      language_model: "language_model model.language_model lm_head",
    },
    { doubt: "cross_attn: cross-attention layers sit inside the language model and stay with it" },
  ),
  table("qwen2_5_omni_thinker", {
    vision_tower: "visual.blocks visual.patch_embed model.visual.patch_embed model.visual.blocks",
    multi_modal_projector: "visual.merger model.visual.merger",
    audio_tower:
      "audio_tower.audio_bos_eos_token audio_tower.conv1 audio_tower.conv2 audio_tower.layers " +
      "audio_tower.ln_post model.audio_tower.conv1 model.audio_tower.conv2 model.audio_tower.audio_bos_eos_token " +
      "model.audio_tower.layers model.audio_tower.ln_post",
    audio_projector: "audio_tower.proj model.audio_tower.proj",
    language_model: "lm_head model model.language_model",
  }),
  table(
    "qwen3_omni_moe_thinker",
    {
      vision_tower:
        "visual.blocks visual.patch_embed visual.pos_embed model.visual.patch_embed model.visual.pos_embed " +
        "model.visual.blocks",
      multi_modal_projector: "visual.merger visual.merger_list model.visual.merger_list model.visual.merger",
      audio_tower:
        "audio_tower.conv2d1 audio_tower.conv2d2 audio_tower.conv2d3 audio_tower.conv_out audio_tower.layers " +
        "audio_tower.ln_post model.audio_tower.layers model.audio_tower.ln_post model.audio_tower.conv2d1 " +
        "model.audio_tower.conv2d2 model.audio_tower.conv2d3 model.audio_tower.conv_out",
      audio_projector: "audio_tower.proj1 audio_tower.proj2 model.audio_tower.proj1 model.audio_tower.proj2",
      language_model: "lm_head model model.language_model",
    },
    { doubt: "merger_list, conv_out: merger_list as deepstack mergers; conv_out left to the tower" },
  ),
  table("video_llava", {
    vision_tower: "image_tower video_tower model.video_tower model.image_tower",
    multi_modal_projector: "multi_modal_projector model.multi_modal_projector",
    language_model: "language_model model.language_model lm_head",
  }),
  table("llama4", {
    vision_tower: "vision_model",
    multi_modal_projector: "multi_modal_projector",
    language_model: "language_model",
  }),
  table(
    "moss_vl",
    {
      vision_tower: "model.visual.pos_embed model.visual.patch_embed model.visual.blocks",
      multi_modal_projector: "model.visual.merger model.separator_token",
      language_model: "model.language_model lm_head",
    },
    { doubt: "names as LLaMA-Factory has them" },
  ),
];
