import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { shown, ThawError } from "@thaw/contracts";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { bounded } from "./bounded.js";
import { readCheckpointJson } from "./checkpoint-file.js";
import { faultText, lackIn } from "./tokenizer-fault.js";
import { growsTooMuch } from "./tokenizer-growth.js";
import { tokenizerUnusable } from "../errors/samples.js";

/** Text to ids and back, exactly as the checkpoint's `tokenizer.json` says. */
export interface Tokenizer {
  /** Ids; with the tokenizer's own special tokens (a leading `<s>`) unless the text starts with it already. */
  encode(text: string): number[];
  /** Text without special tokens, trimmed. */
  decode(ids: readonly number[]): string;
  idOf(token: string): number | undefined;
  tokenOf(id: number): string | undefined;
  /** Ids with a token; a model's vocabulary may be larger. */
  readonly vocabularySize: number;
  readonly special: SpecialTokens;
}

/** The named special tokens of `tokenizer_config.json`. */
export interface SpecialTokens {
  readonly bos?: string;
  readonly eos?: string;
  readonly pad?: string;
  readonly unk?: string;
  readonly image?: string;
  /** All named tokens as templates see them (`special_tokens_map`): `image_token`, `boi_token`, ... to their text. */
  readonly named: Readonly<Record<string, string>>;
}

/** How a family has text encoded. */
export interface TokenizerOptions {
  /** Whether texts get the tokenizer's own special tokens. Default: yes, unless a text begins with one. */
  readonly addsSpecialTokens?: boolean;
}

type Json = Readonly<Record<string, unknown>>;

interface AddedToken {
  readonly id: number;
  readonly content: string;
}

/** As transformers 5 decodes: blanks before punctuation are part of the text and stay. */
const DECODING = { skip_special_tokens: true, clean_up_tokenization_spaces: false };

/** A token is written as text or as `{ content }`. */
function content(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "object" && value !== null && "content" in value && typeof value.content === "string"
    ? value.content
    : undefined;
}

/** Every `*_token` of the config and of its `extra_special_tokens`. */
function namedTokens(config: Json, extra: unknown): Readonly<Record<string, string>> {
  const all = { ...(typeof extra === "object" && !Array.isArray(extra) ? extra : undefined), ...config };
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => {
      const text = name.endsWith("_token") ? content(value) : undefined;
      return text === undefined ? [] : [[name, text]];
    }),
  );
}

function specialTokens(config: Json): SpecialTokens {
  const extra = config["extra_special_tokens"];
  const image =
    config["image_token"] ??
    (typeof extra === "object" && extra !== null && "image_token" in extra ? extra.image_token : undefined);
  return {
    bos: content(config["bos_token"]),
    eos: content(config["eos_token"]),
    pad: content(config["pad_token"]),
    unk: content(config["unk_token"]),
    image: content(image),
    named: namedTokens(config, extra),
  };
}

/** Tokens that only `tokenizer_config.json` declares are added, as transformers does. */
function withDeclaredTokens(file: Json, config: Json): Json {
  const added = (file["added_tokens"] ?? []) as readonly AddedToken[];
  const declared = Object.entries((config["added_tokens_decoder"] ?? {}) as Readonly<Record<string, AddedToken>>).map(
    ([id, token]) => ({ ...token, id: Number(id) }),
  );
  const missing = declared.filter((token) => !added.some((other) => other.id === token.id));
  return missing.length === 0 ? file : { ...file, added_tokens: [...added, ...missing] };
}

/** A folder without tokenizer.json, perhaps with a tokenizer in a form that is not read. */
async function tokenizerMissing(folder: string): Promise<ThawError> {
  const isMistrals = await access(join(folder, "tekken.json")).then(
    () => true,
    () => false,
  );
  return isMistrals
    ? tokenizerUnusable(
        folder,
        "The checkpoint has its tokenizer as Mistral's tekken.json alone, which is not read.",
        "Add the tokenizer.json of a conversion of the same model.",
      )
    : tokenizerUnusable(
        folder,
        "The checkpoint has no tokenizer.json.",
        "Save the tokenizer with transformers (a fast tokenizer writes this file).",
      );
}

/**
 * Reads `tokenizer.json` and `tokenizer_config.json` of a checkpoint folder.
 * @throws THAW_DATA_TOKENIZER where there is none or it cannot be used
 */
export async function loadTokenizer(folder: string, options: TokenizerOptions = {}): Promise<Tokenizer> {
  const { addsSpecialTokens = true } = options;
  const file = await readCheckpointJson(folder, "tokenizer.json");
  if (file === undefined) throw await tokenizerMissing(folder);
  const config = (await readCheckpointJson(folder, "tokenizer_config.json")) ?? {};
  const source = join(folder, "tokenizer.json");
  for (const part of ["normalizer", "decoder"])
    if (growsTooMuch(file[part]))
      throw tokenizerUnusable(
        folder,
        `The ${part} of the tokenizer makes texts many times as long as they are.`,
        "Replace in it what it replaces by something shorter: no tokenizer that was trained needs that.",
      );
  const lack = lackIn(file);
  if (lack !== undefined)
    throw tokenizerUnusable(folder, `The tokenizer cannot be built: ${lack}.`, "Save it with transformers again.");
  let inner: HuggingFaceTokenizer;
  try {
    inner = bounded(source, () => new HuggingFaceTokenizer(withDeclaredTokens(file, config), config));
  } catch (cause) {
    if (cause instanceof ThawError) throw cause;
    throw tokenizerUnusable(
      folder,
      `The tokenizer cannot be built: ${faultText(cause)}.`,
      "Check that tokenizer.json is complete.",
      cause,
    );
  }
  const special = specialTokens(config);
  const guarded = <T>(what: string, run: () => T): T => {
    try {
      return bounded(source, run);
    } catch (cause) {
      if (cause instanceof ThawError) throw cause;
      throw tokenizerUnusable(
        folder,
        `The tokenizer cannot ${what}: ${faultText(cause)}.`,
        "Check that the parts of tokenizer.json are what transformers writes.",
        cause,
      );
    }
  };
  // A model's vocabulary may be padded beyond the tokenizer's: such ids have no text.
  const withText = (ids: readonly number[]): number[] => ids.filter((id) => typeof inner.id_to_token(id) === "string");
  return {
    // ProcessorMixin.apply_chat_template: a template that writes the beginning token itself gets no second one.
    encode: (text) => {
      const { ids } = guarded("encode", () =>
        inner.encode(text, {
          add_special_tokens: addsSpecialTokens && (special.bos === undefined || !text.startsWith(special.bos)),
        }),
      );
      const wrong = (ids as readonly number[]).findIndex((id) => !Number.isSafeInteger(id) || id < 0);
      if (wrong < 0) return ids;
      throw tokenizerUnusable(
        folder,
        `The tokenizer gives the id ${String(ids[wrong])} for a token of ${shown(text)}.`,
        "Give each token of the vocabulary a whole number, and each merge a token that it makes.",
      );
    },
    decode: (ids) => {
      const known = withText(ids);
      return known.length === 0 ? "" : guarded("decode", () => inner.decode(known, DECODING).trim());
    },
    idOf: (token) => inner.token_to_id(token),
    tokenOf: (id) => inner.id_to_token(id),
    vocabularySize: inner.get_vocab(true).size,
    special,
  };
}
