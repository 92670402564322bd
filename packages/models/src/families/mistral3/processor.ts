import type { Processor } from "@thaw/data";
import { pixtralMedia } from "../pixtral-media.js";
import { finishProcessor, readProcessorFiles } from "../processor-kit.js";
import { readMistral3Config } from "./config.js";

/**
 * The processor of a Mistral 3 checkpoint folder. @throws THAW_DATA_PROCESSOR, THAW_DATA_TOKENIZER, THAW_DATA_TEMPLATE,
 * THAW_CHECKPOINT_CONFIG where files are missing or disagree
 */
export async function loadMistral3Processor(folder: string): Promise<Processor> {
  const files = await readProcessorFiles(folder);
  const config = readMistral3Config(files.config);
  const image = await pixtralMedia(files, config);
  return finishProcessor(files, { modelType: "mistral3", text: config.text, media: { image } });
}
