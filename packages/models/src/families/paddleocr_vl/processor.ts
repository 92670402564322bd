import type { Processor } from "@thaw/data";
import { packedMedia } from "../packed-media.js";
import { finishProcessor, readProcessorFiles } from "../processor-kit.js";
import { readPaddleOcrVlConfig } from "./config.js";

/**
 * The processor of a PaddleOCR-VL checkpoint folder. Source: transformers 5.24, `processing_paddleocr_vl.py`. @throws
 * THAW_DATA_PROCESSOR, THAW_DATA_TOKENIZER, THAW_DATA_TEMPLATE, THAW_CHECKPOINT_CONFIG where files are missing or
 * disagree
 */
export async function loadPaddleOcrVlProcessor(folder: string): Promise<Processor> {
  const files = await readProcessorFiles(folder);
  const { vision, text, imageTokenId } = readPaddleOcrVlConfig(files.config);
  const image = await packedMedia(files, {
    classes: ["PaddleOCRVLImageProcessor"],
    patches: { patchSize: vision.patchSize, merge: vision.merge, frames: 1 },
    imageToken: files.tokenizer.special.image ?? "<|IMAGE_PLACEHOLDER|>",
    imageTokenId,
    rasterSize: { width: vision.imageSize, height: vision.imageSize },
  });
  return finishProcessor(files, { modelType: "paddleocr_vl", text, media: { image } });
}
