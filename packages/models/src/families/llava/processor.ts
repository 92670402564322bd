import {
  type ClipImageOptions,
  clipImageProcessorModule,
  type ImageMedia,
  type ItemPlan,
  parseClipImageConfig,
  type Processor,
  processorUnsupported,
} from "@thaw/data";
import { PIXEL_VALUES } from "../../towers/inputs.js";
import type { VisionModel } from "../../towers/vision-model.js";
import { pixtralMedia } from "../pixtral-media.js";
import { finishProcessor, imageSettings, type ProcessorFiles, readProcessorFiles, tokenId } from "../processor-kit.js";
import { type LlavaConfig, readLlavaConfig } from "./config.js";

/**
 * Tokens of one image, as `LlavaProcessor.replace_image_token` (transformers 5.23, `processing_llava.py`) counts them;
 * settings that the file leaves out follow from the tower. The tower's own count must be the same.
 */
function imageTokenCount(
  config: LlavaConfig,
  { imageSize, patchSize, hasClassToken }: VisionModel,
  image: ClipImageOptions,
  { processor: file, folder }: ProcessorFiles,
): number {
  const classTokens = hasClassToken ? 1 : 0;
  const strategy = file["vision_feature_select_strategy"] ?? (config.keepClassToken ? "full" : "default");
  const additional = Number(file["num_additional_image_tokens"] ?? classTokens);
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
  const features = Math.floor(imageSize / patchSize) ** 2 + classTokens - (config.keepClassToken ? 0 : 1);
  if (count !== features) {
    throw processorUnsupported(
      folder,
      `The processor writes ${count} tokens for an image, but the vision tower gives ${features} features.`,
      "Correct patch_size, num_additional_image_tokens and vision_feature_select_strategy in processor_config.json.",
    );
  }
  return count;
}

/** What becomes of images before a tower over pictures of one size. */
async function pictureMedia(files: ProcessorFiles, config: LlavaConfig, model: VisionModel): Promise<ImageMedia> {
  const image = parseClipImageConfig(await imageSettings(files), files.folder);
  const named = files.tokenizer.special.image ?? files.processor["image_token"];
  const imageToken = typeof named === "string" ? named : "<image>";
  tokenId(files, imageToken, config.imageTokenId);
  const { patchSize, channelCount } = model;
  const tokenCount = imageTokenCount(config, model, image, files);
  const grid = [Math.floor(image.size.height / patchSize), Math.floor(image.size.width / patchSize)] as const;
  const plan: ItemPlan = {
    placeholder: imageToken.repeat(tokenCount),
    tokenId: config.imageTokenId,
    tokenCount,
    facts: { grid },
    inputs: { [PIXEL_VALUES]: { rows: grid[0] * grid[1], width: channelCount * patchSize ** 2 } },
  };
  return {
    placeholder: imageToken,
    rasterSize: image.size,
    worker: clipImageProcessorModule({ ...image, patchSize }),
    needsSize: false,
    plan: () => plan,
  };
}

/**
 * The processor of a LLaVA-1.5 checkpoint folder: preprocessing of its tower, tokenizer, chat template and image
 * placeholders. @throws THAW_DATA_PROCESSOR, THAW_DATA_TOKENIZER, THAW_DATA_TEMPLATE, THAW_CHECKPOINT_CONFIG where
 * files are missing or disagree
 */
export async function loadLlavaProcessor(folder: string): Promise<Processor> {
  const files = await readProcessorFiles(folder);
  const config = readLlavaConfig(files.config);
  const { vision, imageTokenId, text } = config;
  const image =
    vision.type === "pixtral"
      ? await pixtralMedia(files, { vision: vision.model, imageTokenId, merge: 1 })
      : await pictureMedia(files, config, vision.model);
  return finishProcessor(files, { modelType: "llava", text, media: { image } });
}
