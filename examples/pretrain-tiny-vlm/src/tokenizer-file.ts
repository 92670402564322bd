import { type BpeModel, countPieces, trainBpe } from "./bpe.js";

/** Special tokens in id order. */
export const SPECIAL_TOKENS = ["<unk>", "<s>", "</s>", "<pad>", "<image>"] as const;
/** The one question that the captioner is asked; one token of its vocabulary. */
export const PROMPT = "Caption:";
export const VOCABULARY_SIZE = 1024;
const PROMPT_REPEATS = 300;

/**
 * User parts in order (an image is `<image>`), then the assistant's text after a space, closed by `</s>`. What is
 * learned stands in the generation block. The prompt of a picture is thus `<image>Caption:` and its continuation ` dog
 * face</s>`.
 */
export const CHAT_TEMPLATE =
  "{% for message in messages %}{% if message['role'] == 'assistant' %}{% generation %}" +
  "{% if message['content'] is string %}{{ ' ' + message['content'] }}{% else %}{% for part in " +
  "message['content'] | selectattr('type', 'equalto', 'text') %}{{ ' ' + part['text'] }}{% endfor %}{% endif %}" +
  "{{ '</s>' }}{% endgeneration %}" +
  "{% elif message['content'] is string %}{{ message['content'] }}" +
  "{% else %}{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ '<image>' }}{% elif " +
  "part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}{% endfor %}";

/** Learns the vocabulary from the captions, each after a space as in a conversation, and the prompt. */
export function trainTokenizer(captions: readonly string[]): BpeModel {
  const texts = captions.map((caption) => ({ text: ` ${caption}`, count: 1 }));
  return trainBpe(countPieces([...texts, { text: PROMPT, count: PROMPT_REPEATS }]), VOCABULARY_SIZE, SPECIAL_TOKENS);
}

/** The contents of `tokenizer.json`. */
export function tokenizerJson(model: BpeModel): object {
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: SPECIAL_TOKENS.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "never", split: true },
    post_processor: null,
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "▁" }, content: " " },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: "<unk>",
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(model.vocabulary),
      merges: model.merges,
    },
  };
}

/** The contents of `tokenizer_config.json`. */
export function tokenizerConfigJson(): object {
  return {
    bos_token: "<s>",
    eos_token: "</s>",
    unk_token: "<unk>",
    pad_token: "<pad>",
    image_token: "<image>",
    extra_special_tokens: { image_token: "<image>" },
    clean_up_tokenization_spaces: false,
    model_max_length: 128,
    padding_side: "right",
    processor_class: "LlavaProcessor",
    tokenizer_class: "PreTrainedTokenizerFast",
  };
}
