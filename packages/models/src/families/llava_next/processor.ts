import type { Processor } from "@thaw/data";
import { anyresMedia } from "../anyres-media.js";
import { imageTokenCount } from "../llava/processor.js";
import { finishProcessor, readProcessorFiles } from "../processor-kit.js";
import { readLlavaNextConfig } from "./config.js";

/**
 * The processor of a LLaVA-NeXT checkpoint folder. @throws THAW_DATA_PROCESSOR, THAW_DATA_TOKENIZER,
 * THAW_DATA_TEMPLATE, THAW_CHECKPOINT_CONFIG where files are missing or disagree
 */
export async function loadLlavaNextProcessor(folder: string): Promise<Processor> {
  const files = await readProcessorFiles(folder);
  const config = readLlavaNextConfig(files.config);
  const image = await anyresMedia(files, config, "LlavaNextImageProcessor");
  const { imageSize: side } = config.vision;
  imageTokenCount(files, config.vision, config.keepClassToken, { width: side, height: side });
  return finishProcessor(files, { modelType: "llava_next", text: config.text, media: { image } });
}
