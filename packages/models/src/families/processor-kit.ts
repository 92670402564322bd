import {
  loadChatTemplate,
  loadTokenizer,
  placeholdersOf,
  processorUnsupported,
  readCheckpointJson,
  type Processor,
  type Tokenizer,
  type TokenizerOptions,
} from "@thaw/data";
import type { TextModel } from "../decoders/text/sizes.js";
import type { ConfigReader } from "../reading/config-reader.js";
import { readConfig, readGenerationConfig } from "../reading/folder.js";
import { readSpecialTokens } from "../reading/special-tokens.js";

/** A JSON object of a processor's files. */
export type ProcessorJson = Readonly<Record<string, unknown>>;

/** What the processors of all families read. */
export interface ProcessorFiles {
  readonly folder: string;
  /** config.json. */
  readonly config: ConfigReader;
  readonly generationConfig: ConfigReader;
  /** processor_config.json; empty if there is none. */
  readonly processor: ProcessorJson;
  readonly tokenizer: Tokenizer;
}

/** What is a family's own in a processor. */
export interface ProcessorParts {
  readonly modelType: string;
  readonly text: Pick<TextModel, "maxPositions" | "options">;
  readonly media: Processor["media"];
  /** Default: the folder's chat template. */
  readonly template?: Processor["template"];
  /** Prompt of captioning samples where `processor_config.json` has none. */
  readonly captionPrompt?: string;
}

/** Prompt of captioning samples where neither `processor_config.json` nor the family has one. */
const CAPTION_PROMPT = "Caption:";

/** Reads a checkpoint folder. @throws THAW_CHECKPOINT_CONFIG, THAW_CHECKPOINT_UNREADABLE, THAW_DATA_TOKENIZER */
export async function readProcessorFiles(folder: string, options: TokenizerOptions = {}): Promise<ProcessorFiles> {
  return {
    folder,
    config: await readConfig(folder),
    generationConfig: await readGenerationConfig(folder),
    processor: (await readCheckpointJson(folder, "processor_config.json")) ?? {},
    tokenizer: await loadTokenizer(folder, options),
  };
}

/**
 * Image settings: the nested form of transformers 5 wins over `preprocessor_config.json`, as there.
 * @throws THAW_DATA_PROCESSOR if the folder has neither
 */
export async function imageSettings(files: ProcessorFiles): Promise<ProcessorJson> {
  return mediaSettings(files, "image_processor");
}

/** The same of what the nested form calls so. @throws THAW_DATA_PROCESSOR if the folder has neither */
export async function mediaSettings(
  { folder, processor }: ProcessorFiles,
  key: "image_processor" | "feature_extractor",
): Promise<ProcessorJson> {
  const nested = processor[key];
  const settings =
    typeof nested === "object" && nested !== null
      ? (nested as ProcessorJson)
      : await readCheckpointJson(folder, "preprocessor_config.json");
  if (settings !== undefined) return settings;
  throw processorUnsupported(
    folder,
    "The checkpoint has no preprocessor_config.json.",
    "Save the processor with transformers; it writes this file.",
  );
}

/** The id of a token. `wanted`: the id that config.json says. @throws THAW_DATA_PROCESSOR */
export function tokenId({ folder, tokenizer }: ProcessorFiles, token: string, wanted?: number): number {
  const id = tokenizer.idOf(token);
  if (id === undefined)
    throw processorUnsupported(
      folder,
      `The tokenizer has no token ${token}.`,
      "Add it to tokenizer.json, or correct the name in the config.",
    );
  if (wanted === undefined || id === wanted) return id;
  throw processorUnsupported(
    folder,
    `The token ${token} has id ${id} in the tokenizer, but ${wanted} in config.json.`,
    "Use the tokenizer that belongs to this model.",
  );
}

/**
 * A processor of these parts: chat template, the tokens that end answers and pad. @throws THAW_DATA_PROCESSOR,
 * THAW_DATA_TEMPLATE
 */
export async function finishProcessor(files: ProcessorFiles, parts: ProcessorParts): Promise<Processor> {
  const { folder, config, generationConfig, processor, tokenizer } = files;
  const { eosTokenIds, padTokenId } = readSpecialTokens(config, config.child("text_config"), generationConfig);
  const { eos, pad } = tokenizer.special;
  const endTokenId = eos === undefined ? eosTokenIds[0] : tokenId(files, eos);
  if (endTokenId === undefined)
    throw processorUnsupported(
      folder,
      "No token ends an answer.",
      "Set eos_token in tokenizer_config.json or eos_token_id in generation_config.json.",
    );
  const prompt = processor["caption_prompt"];
  return {
    modelType: parts.modelType,
    source: folder,
    tokenizer,
    template:
      parts.template ??
      (await loadChatTemplate(folder, { special: tokenizer.special, placeholders: placeholdersOf(parts.media) })),
    captionPrompt: typeof prompt === "string" ? prompt : (parts.captionPrompt ?? CAPTION_PROMPT),
    endTokenIds: [...new Set([...eosTokenIds, endTokenId])],
    endTokenId,
    padTokenId: pad === undefined ? padTokenId : tokenId(files, pad),
    maxPositions: parts.text.maxPositions,
    embeddingRows: parts.text.options.vocabularySize,
    media: parts.media,
  };
}
