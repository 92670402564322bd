import { type ImageSize, type Processor, processorUnsupported } from "@thaw/data";
import type { VisionModel } from "../../towers/vision-model.js";
import { checkPictureSize, pictureMedia } from "../picture-media.js";
import { pixtralMedia } from "../pixtral-media.js";
import { finishProcessor, type ProcessorFiles, readProcessorFiles } from "../processor-kit.js";
import { readLlavaConfig } from "./config.js";

/**
 * Tokens of one image, as `LlavaProcessor.replace_image_token` (transformers 5.23, `processing_llava.py`) counts them;
 * settings that the file leaves out follow from the tower. The tower's own count must be the same. @throws
 * THAW_DATA_PROCESSOR
 */
export function imageTokenCount(
  { processor: file, folder }: ProcessorFiles,
  model: VisionModel,
  keepClassToken: boolean,
  size: ImageSize,
): number {
  const { imageSize, patchSize, hasClassToken } = model;
  checkPictureSize(size, model, folder);
  const classTokens = hasClassToken ? 1 : 0;
  const strategy = file["vision_feature_select_strategy"] ?? (keepClassToken ? "full" : "default");
  const additional = Number(file["num_additional_image_tokens"] ?? classTokens);
  const patch = Number(file["patch_size"] ?? patchSize);
  const count = Math.floor(imageSize / patch) ** 2 + additional - (strategy === "default" ? 1 : 0);
  const features = Math.floor(imageSize / patchSize) ** 2 + classTokens - (keepClassToken ? 0 : 1);
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
 * The processor of a LLaVA-1.5 checkpoint folder: preprocessing of its tower, tokenizer, chat template and image
 * placeholders. @throws THAW_DATA_PROCESSOR, THAW_DATA_TOKENIZER, THAW_DATA_TEMPLATE, THAW_CHECKPOINT_CONFIG where
 * files are missing or disagree
 */
export async function loadLlavaProcessor(folder: string): Promise<Processor> {
  const files = await readProcessorFiles(folder);
  const config = readLlavaConfig(files.config);
  const { vision, imageTokenId, text } = config;
  const named = files.tokenizer.special.image ?? files.processor["image_token"];
  const token = typeof named === "string" ? named : "<image>";
  const image =
    vision.type === "pixtral"
      ? await pixtralMedia(files, { vision: vision.model, imageTokenId, merge: 1 })
      : await pictureMedia(files, vision.model, (options) => ({
          token,
          id: imageTokenId,
          count: imageTokenCount(files, vision.model, config.keepClassToken, options.size),
        }));
  return finishProcessor(files, { modelType: "llava", text, media: { image } });
}
