import type { Processor } from "@thaw/data";
import { packedMedia } from "../packed-media.js";
import { finishProcessor, readProcessorFiles } from "../processor-kit.js";
import { readGlm4vConfig, type Glm4vType } from "./config.js";

/**
 * The processor of a GLM-4V or GLM-OCR checkpoint folder. Source: transformers 5.24, `processing_glm4v.py`. @throws
 * THAW_DATA_PROCESSOR, THAW_DATA_TOKENIZER, THAW_DATA_TEMPLATE, THAW_CHECKPOINT_CONFIG where files are missing or
 * disagree
 */
export async function loadGlm4vProcessor(folder: string, modelType: Glm4vType): Promise<Processor> {
  const files = await readProcessorFiles(folder);
  const { vision, text, imageTokenId } = readGlm4vConfig(files.config, modelType);
  const image = await packedMedia(files, {
    classes:
      modelType === "glm4v" || modelType === "glm4v_moe"
        ? ["Glm4vImageProcessor", "Glm46VImageProcessor"]
        : ["Glm46VImageProcessor", "Glm4vImageProcessor"],
    patches: { patchSize: vision.patchSize, merge: vision.merge, frames: vision.frames },
    imageToken: files.tokenizer.special.image ?? "<|image|>",
    imageTokenId,
    rasterSize: { width: vision.imageSize, height: vision.imageSize },
  });
  return finishProcessor(files, { modelType, text, media: { image } });
}
