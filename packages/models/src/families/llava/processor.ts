import {
  type ClipImageOptions,
  clipImageProcessorModule,
  type ItemPlan,
  parseClipImageConfig,
  type Processor,
  processorUnsupported,
} from "@thaw/data";
import { PIXEL_VALUES } from "../../towers/inputs.js";
import { finishProcessor, imageSettings, type ProcessorJson, readProcessorFiles, tokenId } from "../processor-kit.js";
import { type LlavaConfig, readLlavaConfig } from "./config.js";

/**
 * Tokens of one image, as `LlavaProcessor.replace_image_token` (transformers 5.23, `processing_llava.py`) counts them;
 * settings that the file leaves out follow from the tower. The tower's own count must be the same.
 */
function imageTokenCount(config: LlavaConfig, image: ClipImageOptions, file: ProcessorJson, folder: string): number {
  const { imageSize, patchSize, hasClassToken } = config.vision;
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

/**
 * The processor of a LLaVA-1.5 checkpoint folder: CLIP preprocessing, tokenizer, chat template and image placeholders.
 * @throws THAW_DATA_PROCESSOR, THAW_DATA_TOKENIZER, THAW_DATA_TEMPLATE, THAW_CHECKPOINT_CONFIG where files are missing
 * or disagree
 */
export async function loadLlavaProcessor(folder: string): Promise<Processor> {
  const files = await readProcessorFiles(folder);
  const config = readLlavaConfig(files.config);
  const image = parseClipImageConfig(await imageSettings(files), folder);
  const named = files.tokenizer.special.image ?? files.processor["image_token"];
  const imageToken = typeof named === "string" ? named : "<image>";
  tokenId(files, imageToken, config.imageTokenId);
  const { patchSize } = config.vision;
  const tokenCount = imageTokenCount(config, image, files.processor, folder);
  const grid = [Math.floor(image.size.height / patchSize), Math.floor(image.size.width / patchSize)] as const;
  const plan: ItemPlan = {
    placeholder: imageToken.repeat(tokenCount),
    tokenId: config.imageTokenId,
    tokenCount,
    facts: { grid },
    inputs: { [PIXEL_VALUES]: { rows: grid[0] * grid[1], width: config.vision.channelCount * patchSize ** 2 } },
  };
  return finishProcessor(files, {
    modelType: "llava",
    text: config.text,
    media: {
      image: {
        placeholder: imageToken,
        rasterSize: image.size,
        worker: clipImageProcessorModule({ ...image, patchSize }),
        needsSize: false,
        plan: () => plan,
      },
    },
  });
}
