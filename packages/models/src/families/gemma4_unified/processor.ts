import { gemma4BlockProcessorModule, parseGemma4ImageConfig, type Processor } from "@thaw/data";
import { gemma4Pictures } from "../gemma4/pictures.js";
import { gemma4Waves } from "../gemma4/sounds.js";
import { finishProcessor, imageSettings, readProcessorFiles } from "../processor-kit.js";
import { readGemma4UnifiedConfig } from "./config.js";

/**
 * The processor of a folder with a Gemma 4 model without a tower. @throws THAW_DATA_PROCESSOR, THAW_DATA_TOKENIZER,
 * THAW_DATA_TEMPLATE, THAW_CHECKPOINT_CONFIG where files are missing or disagree
 */
export async function loadGemma4UnifiedProcessor(folder: string): Promise<Processor> {
  const files = await readProcessorFiles(folder);
  const { vision, audio, text, imageTokenId, audioTokenId } = readGemma4UnifiedConfig(files.config);
  const { patchSize, merge, places } = vision;
  const options = parseGemma4ImageConfig(await imageSettings(files), { patchSize, merge }, folder);
  const worker = gemma4BlockProcessorModule(options);
  const image = gemma4Pictures(files, options, { imageTokenId, places, worker, cell: merge });
  const sound = audio && { audio: await gemma4Waves(files, audioTokenId, audio.sampleCount) };
  return finishProcessor(files, { modelType: "gemma4_unified", text, media: { image, ...sound } });
}
