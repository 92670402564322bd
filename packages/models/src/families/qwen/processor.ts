import type { Processor } from "@thaw/data";
import type { ConfigReader } from "../../reading/config-reader.js";
import { packedMedia } from "../packed-media.js";
import { finishProcessor, readProcessorFiles } from "../processor-kit.js";
import type { QwenConfig } from "./config.js";

/** Size that drawings are rasterised to, in pixels. */
const RASTER_SIZE = { width: 448, height: 448 };

/**
 * The processor of a checkpoint folder of Qwen's models that see. Source: transformers 5.24, `processing_qwen2_vl.py`.
 * @throws THAW_DATA_PROCESSOR, THAW_DATA_TOKENIZER, THAW_DATA_TEMPLATE, THAW_CHECKPOINT_CONFIG where files are missing
 * or disagree
 */
export async function loadQwenProcessor(
  folder: string,
  modelType: string,
  read: (config: ConfigReader) => QwenConfig,
): Promise<Processor> {
  const files = await readProcessorFiles(folder);
  const { vision, text, imageTokenId } = read(files.config);
  const { patchSize, frames, merge } = vision.tower;
  const image = await packedMedia(files, {
    classes: ["Qwen2VLImageProcessor"],
    patches: { patchSize, merge, frames },
    imageToken: files.tokenizer.special.image ?? "<|image_pad|>",
    imageTokenId,
    rasterSize: RASTER_SIZE,
  });
  return finishProcessor(files, { modelType, text, media: { image } });
}
