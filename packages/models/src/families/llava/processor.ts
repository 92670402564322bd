import {
  type ClipImageOptions,
  clipImageProcessorModule,
  type ItemPlan,
  loadChatTemplate,
  loadTokenizer,
  parseClipImageConfig,
  type Processor,
  processorUnsupported,
  readCheckpointJson,
  type Tokenizer,
} from "@thaw/data";
import { readConfig, readGenerationConfig } from "../../reading/folder.js";
import { type LlavaConfig, readLlavaConfig } from "./config.js";
import { PIXEL_VALUES } from "../../towers/inputs.js";
import { readSpecialTokens } from "../../reading/special-tokens.js";

type Json = Readonly<Record<string, unknown>>;

/** Prompt of captioning samples where `processor_config.json` has no `caption_prompt`. */
const CAPTION_PROMPT = "Caption:";

/** Image settings: the nested form of transformers 5 wins over `preprocessor_config.json`, as there. */
async function imageOptions(folder: string, processorConfig: Json): Promise<ClipImageOptions> {
  const nested = processorConfig["image_processor"];
  const config =
    typeof nested === "object" && nested !== null
      ? (nested as Json)
      : await readCheckpointJson(folder, "preprocessor_config.json");
  if (config === undefined)
    throw processorUnsupported(
      folder,
      "The checkpoint has no preprocessor_config.json.",
      "Save the processor with transformers; it writes this file.",
    );
  return parseClipImageConfig(config, folder);
}

/**
 * Tokens of one image, as `LlavaProcessor.replace_image_token` (transformers 5.23, `processing_llava.py`) counts them;
 * settings that the file leaves out follow from the tower. The tower's own count must be the same.
 */
function imageTokenCount(config: LlavaConfig, image: ClipImageOptions, file: Json, folder: string): number {
  const { imageSize, patchSize } = config.vision;
  const strategy = file["vision_feature_select_strategy"] ?? (config.keepClassToken ? "full" : "default");
  const additional = Number(file["num_additional_image_tokens"] ?? 1);
  const patch = Number(file["patch_size"] ?? patchSize);
  const count =
    Math.floor(image.size.height / patch) * Math.floor(image.size.width / patch) +
    additional -
    (strategy === "default" ? 1 : 0);
  if (image.size.height !== imageSize || image.size.width !== imageSize) {
    throw processorUnsupported(
      folder,
      `The image processor makes images of ${image.size.width}x${image.size.height} pixels, but the vision tower ` +
        `reads ${imageSize}x${imageSize}.`,
      "Set crop_size in preprocessor_config.json to the image_size of config.json.",
    );
  }
  const features = Math.floor(imageSize / patchSize) ** 2 + (config.keepClassToken ? 1 : 0);
  if (count !== features) {
    throw processorUnsupported(
      folder,
      `The processor writes ${count} tokens for an image, but the vision tower gives ${features} features.`,
      "Correct patch_size, num_additional_image_tokens and vision_feature_select_strategy in processor_config.json.",
    );
  }
  return count;
}

function idOf(tokenizer: Tokenizer, token: string, folder: string): number {
  const id = tokenizer.idOf(token);
  if (id === undefined)
    throw processorUnsupported(
      folder,
      `The tokenizer has no token ${token}.`,
      "Add it to tokenizer.json, or correct the name in the config.",
    );
  return id;
}

/**
 * The processor of a LLaVA-1.5 checkpoint folder: CLIP preprocessing, tokenizer, chat template and image placeholders.
 * @throws THAW_DATA_PROCESSOR, THAW_DATA_TOKENIZER, THAW_DATA_TEMPLATE, THAW_CHECKPOINT_CONFIG where files are missing
 * or disagree
 */
export async function loadLlavaProcessor(folder: string): Promise<Processor> {
  const reader = await readConfig(folder);
  const config = readLlavaConfig(reader);
  const file = (await readCheckpointJson(folder, "processor_config.json")) ?? {};
  const image = await imageOptions(folder, file);
  const tokenizer = await loadTokenizer(folder);
  const named = tokenizer.special.image ?? file["image_token"];
  const imageToken = typeof named === "string" ? named : "<image>";
  if (idOf(tokenizer, imageToken, folder) !== config.imageTokenId) {
    throw processorUnsupported(
      folder,
      `The image token ${imageToken} has id ${tokenizer.idOf(imageToken)} in the tokenizer, but ` +
        `${config.imageTokenId} in config.json.`,
      "Use the tokenizer that belongs to this model.",
    );
  }
  const { eosTokenIds, padTokenId } = readSpecialTokens(
    reader,
    reader.child("text_config"),
    await readGenerationConfig(folder),
  );
  const { eos, pad } = tokenizer.special;
  const endTokenId = eos === undefined ? eosTokenIds[0] : idOf(tokenizer, eos, folder);
  if (endTokenId === undefined)
    throw processorUnsupported(
      folder,
      "No token ends an answer.",
      "Set eos_token in tokenizer_config.json or eos_token_id in generation_config.json.",
    );
  const { patchSize } = config.vision;
  const tokenCount = imageTokenCount(config, image, file, folder);
  const grid = [Math.floor(image.size.height / patchSize), Math.floor(image.size.width / patchSize)] as const;
  const plan: ItemPlan = {
    placeholder: imageToken.repeat(tokenCount),
    tokenId: config.imageTokenId,
    tokenCount,
    facts: { grid },
    inputs: { [PIXEL_VALUES]: { rows: grid[0] * grid[1], width: config.vision.channelCount * patchSize ** 2 } },
  };
  const prompt = file["caption_prompt"];
  return {
    modelType: "llava",
    source: folder,
    tokenizer,
    template: await loadChatTemplate(folder, { special: tokenizer.special, placeholders: { image: imageToken } }),
    captionPrompt: typeof prompt === "string" ? prompt : CAPTION_PROMPT,
    endTokenIds: [...new Set([...eosTokenIds, endTokenId])],
    endTokenId,
    padTokenId: pad === undefined ? padTokenId : idOf(tokenizer, pad, folder),
    maxPositions: config.text.maxPositions,
    embeddingRows: config.text.options.vocabularySize,
    media: {
      image: {
        placeholder: imageToken,
        rasterSize: image.size,
        worker: clipImageProcessorModule({ ...image, patchSize }),
        needsSize: false,
        plan: () => plan,
      },
    },
  };
}
