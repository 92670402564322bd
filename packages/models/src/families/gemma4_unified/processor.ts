import { gemma4BlockProcessorModule, parseGemma4ImageConfig, type Processor } from "@thaw/data";
import { gemma4Media } from "../gemma4-media.js";
import { finishProcessor, imageSettings, readProcessorFiles } from "../processor-kit.js";
import { readGemma4UnifiedConfig } from "./config.js";

/**
 * The processor of a folder with a Gemma 4 model without a tower. @throws THAW_DATA_PROCESSOR, THAW_DATA_TOKENIZER,
 * THAW_DATA_TEMPLATE, THAW_CHECKPOINT_CONFIG where files are missing or disagree
 */
export async function loadGemma4UnifiedProcessor(folder: string): Promise<Processor> {
  const files = await readProcessorFiles(folder);
  const { vision, text, imageTokenId } = readGemma4UnifiedConfig(files.config);
  const { patchSize, merge, places } = vision;
  const options = parseGemma4ImageConfig(await imageSettings(files), { patchSize, merge }, folder);
  const image = gemma4Media(files, options, {
    imageTokenId,
    places,
    worker: gemma4BlockProcessorModule(options),
    cell: merge,
  });
  return finishProcessor(files, { modelType: "gemma4_unified", text, media: { image } });
}
