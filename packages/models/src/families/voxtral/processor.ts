import { processorUnsupported, type Processor } from "@thaw/data";
import { whisperMedia } from "../audio-media.js";
import { finishProcessor, readProcessorFiles } from "../processor-kit.js";
import { readVoxtralConfig } from "./config.js";

/**
 * The processor of a Voxtral checkpoint folder. Clips are filled up with silence to whole chunks, 30 s in published
 * models. @throws THAW_DATA_PROCESSOR, THAW_DATA_TOKENIZER, THAW_DATA_TEMPLATE, THAW_CHECKPOINT_CONFIG where files are
 * missing or disagree
 */
export async function loadVoxtralProcessor(folder: string): Promise<Processor> {
  const files = await readProcessorFiles(folder);
  const { audio, text, audioTokenId, stacked } = readVoxtralConfig(files.config);
  const token = files.tokenizer.tokenOf(audioTokenId);
  if (token === undefined)
    throw processorUnsupported(
      folder,
      `The tokenizer has no token with the id ${audioTokenId}, which config.json names as audio_token_id.`,
      "Use the tokenizer that belongs to this model.",
    );
  const media = {
    audio: await whisperMedia(files, audio, {
      token,
      tokenId: audioTokenId,
      longer: "multiple",
      kept: "all",
      tokens: ({ kept }) => kept / 2 / stacked,
    }),
  };
  return finishProcessor(files, { modelType: "voxtral", text, media });
}
