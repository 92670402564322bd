import { gemma4ImageProcessorModule, parseGemma4ImageConfig, type Processor } from "@thaw/data";
import { finishProcessor, imageSettings, readProcessorFiles } from "../processor-kit.js";
import { readGemma4Config } from "./config.js";
import { gemma4Pictures } from "./pictures.js";
import { gemma4Sounds } from "./sounds.js";

/**
 * The processor of a Gemma 4 checkpoint folder. @throws THAW_DATA_PROCESSOR, THAW_DATA_TOKENIZER, THAW_DATA_TEMPLATE,
 * THAW_CHECKPOINT_CONFIG where files are missing or disagree
 */
export async function loadGemma4Processor(folder: string): Promise<Processor> {
  const files = await readProcessorFiles(folder);
  const { vision, audio, text, imageTokenId, audioTokenId } = readGemma4Config(files.config);
  const { patchSize, merge, places } = vision;
  const options = parseGemma4ImageConfig(await imageSettings(files), { patchSize, merge }, folder);
  const worker = gemma4ImageProcessorModule(options);
  const image = gemma4Pictures(files, options, { imageTokenId, places, worker, cell: 1 });
  const sound = audio && { audio: await gemma4Sounds(files, audioTokenId, audio.melCount) };
  return finishProcessor(files, { modelType: "gemma4", text, media: { image, ...sound } });
}
