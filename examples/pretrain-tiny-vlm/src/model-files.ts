import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { IMAGE_DEVIATION, IMAGE_MEAN, IMAGE_SIZE } from "./augment.js";
import type { BpeModel } from "./bpe.js";
import { CHAT_TEMPLATE, SPECIAL_TOKENS, tokenizerConfigJson, tokenizerJson } from "./tokenizer-file.js";

export const PATCH_SIZE = 8;
/** Pictures become this many tokens. */
export const IMAGE_TOKENS = (IMAGE_SIZE / PATCH_SIZE) ** 2;
/** Of one conversation, image tokens included. */
export const MAX_TOKENS = 128;

/** Ids of the special tokens. */
export const TOKEN_IDS = Object.freeze(
  Object.fromEntries(SPECIAL_TOKENS.map((token, id) => [token, id])) as Record<(typeof SPECIAL_TOKENS)[number], number>,
);

/**
 * A CLIP tower of 6 layers of which the last is unused, a projector of two layers, a Llama of 3 layers: 1.99 M
 * parameters.
 */
function configJson(vocabularySize: number): object {
  return {
    architectures: ["LlavaForConditionalGeneration"],
    model_type: "llava",
    dtype: "bfloat16",
    image_seq_length: IMAGE_TOKENS,
    image_token_index: TOKEN_IDS["<image>"],
    multimodal_projector_bias: true,
    projector_hidden_act: "gelu",
    vision_feature_layer: -2,
    vision_feature_select_strategy: "default",
    tie_word_embeddings: true,
    text_config: {
      model_type: "llama",
      attention_bias: false,
      attention_dropout: 0,
      bos_token_id: TOKEN_IDS["<s>"],
      eos_token_id: TOKEN_IDS["</s>"],
      pad_token_id: TOKEN_IDS["<pad>"],
      head_dim: 32,
      hidden_act: "silu",
      hidden_size: 128,
      initializer_range: 0.02,
      intermediate_size: 352,
      max_position_embeddings: MAX_TOKENS,
      mlp_bias: false,
      num_attention_heads: 4,
      num_hidden_layers: 3,
      num_key_value_heads: 4,
      rms_norm_eps: 1e-6,
      rope_theta: 10000,
      rope_parameters: { rope_theta: 10000, rope_type: "default" },
      tie_word_embeddings: true,
      use_cache: true,
      vocab_size: vocabularySize,
    },
    vision_config: {
      model_type: "clip_vision_model",
      attention_dropout: 0,
      hidden_act: "quick_gelu",
      hidden_size: 128,
      image_size: IMAGE_SIZE,
      initializer_range: 0.02,
      intermediate_size: 512,
      layer_norm_eps: 1e-5,
      num_attention_heads: 4,
      num_channels: 3,
      num_hidden_layers: 6,
      patch_size: PATCH_SIZE,
      projection_dim: 128,
    },
  };
}

const IMAGE_PROCESSOR = {
  crop_size: { height: IMAGE_SIZE, width: IMAGE_SIZE },
  do_center_crop: true,
  do_convert_rgb: true,
  do_normalize: true,
  do_rescale: true,
  do_resize: true,
  image_mean: [IMAGE_MEAN, IMAGE_MEAN, IMAGE_MEAN],
  image_processor_type: "CLIPImageProcessor",
  image_std: [IMAGE_DEVIATION, IMAGE_DEVIATION, IMAGE_DEVIATION],
  resample: 3,
  rescale_factor: 1 / 255,
  size: { shortest_edge: IMAGE_SIZE },
};

/** Writes every file of a Hugging Face LLaVA checkpoint but the weights. */
export async function writeModelFiles(folder: string, tokenizer: BpeModel): Promise<void> {
  await mkdir(folder, { recursive: true });
  const files: Record<string, object> = {
    "config.json": configJson(tokenizer.vocabulary.size),
    "generation_config.json": {
      bos_token_id: TOKEN_IDS["<s>"],
      eos_token_id: TOKEN_IDS["</s>"],
      pad_token_id: TOKEN_IDS["<pad>"],
    },
    "preprocessor_config.json": IMAGE_PROCESSOR,
    "processor_config.json": {
      image_processor: IMAGE_PROCESSOR,
      image_token: "<image>",
      num_additional_image_tokens: 1,
      patch_size: PATCH_SIZE,
      processor_class: "LlavaProcessor",
      vision_feature_select_strategy: "default",
    },
    "tokenizer.json": tokenizerJson(tokenizer),
    "tokenizer_config.json": tokenizerConfigJson(),
  };
  for (const [name, content] of Object.entries(files))
    await writeFile(join(folder, name), `${JSON.stringify(content, undefined, 2)}\n`);
  await writeFile(join(folder, "chat_template.jinja"), CHAT_TEMPLATE);
}
