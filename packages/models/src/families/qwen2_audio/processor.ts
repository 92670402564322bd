import { compileChatTemplate, convolvedRows, loadChatTemplate, placeholdersOf, type Processor } from "@thaw/data";
import { whisperMedia } from "../audio-media.js";
import { finishProcessor, readProcessorFiles } from "../processor-kit.js";
import { readQwen2AudioConfig } from "./config.js";

/** What `Qwen2AudioProcessor` renders where its folder has no template (transformers 5.24, `default_chat_template`). */
const DEFAULT_TEMPLATE =
  "{% set audio_count = namespace(value=0) %}{% for message in messages %}{% if loop.first and message['role'] != " +
  "'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] " +
  "}}\n{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}{% for content in " +
  "message['content'] %}{% if 'audio' in content or 'audio_url' in content or message['type'] == 'audio' or " +
  "content['type'] == 'audio' %}{% set audio_count.value = audio_count.value + 1 %}Audio {{ audio_count.value }}: " +
  "<|audio_bos|><|AUDIO|><|audio_eos|>\n{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}" +
  "<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/**
 * The processor of a Qwen2-Audio checkpoint folder. Clips longer than the encoder are cut. @throws THAW_DATA_PROCESSOR,
 * THAW_DATA_TOKENIZER, THAW_DATA_TEMPLATE, THAW_CHECKPOINT_CONFIG where files are missing or disagree
 */
export async function loadQwen2AudioProcessor(folder: string): Promise<Processor> {
  const files = await readProcessorFiles(folder);
  const { audio, text, audioTokenId } = readQwen2AudioConfig(files.config);
  const { special } = files.tokenizer;
  const named = special.named["audio_token"] ?? files.processor["audio_token"];
  const media = {
    audio: await whisperMedia(files, audio, {
      token: typeof named === "string" ? named : "<|AUDIO|>",
      tokenId: audioTokenId,
      longer: "cut",
      kept: "read",
      tokens: ({ own }) => Math.floor(convolvedRows(own) / 2),
    }),
  };
  // The tokenizer's own template is for text alone, and the processor does not look at it.
  const options = { special, placeholders: placeholdersOf(media) };
  const template =
    (await loadChatTemplate(folder, { ...options, isProcessors: true })) ??
    compileChatTemplate(DEFAULT_TEMPLATE, { source: folder, ...options });
  return finishProcessor(files, { modelType: "qwen2_audio", text, media, template });
}
