import type { Processor } from "@thaw/data";
import { gridSide } from "../../towers/vit.js";
import { pictureMedia } from "../picture-media.js";
import { finishProcessor, readProcessorFiles } from "../processor-kit.js";
import { readPaliGemmaConfig } from "./config.js";
import { paliGemmaTemplate } from "./template.js";

/** What PaliGemma's models are pretrained to answer with a caption. Source: big_vision, `configs/proj/paligemma`. */
const CAPTION_PROMPT = "caption en";

/**
 * The processor of a PaliGemma checkpoint folder. @throws THAW_DATA_PROCESSOR, THAW_DATA_TOKENIZER,
 * THAW_CHECKPOINT_CONFIG where files are missing or disagree
 */
export async function loadPaliGemmaProcessor(folder: string): Promise<Processor> {
  const files = await readProcessorFiles(folder, { addsSpecialTokens: false });
  const { vision, text, imageTokenId } = readPaliGemmaConfig(files.config);
  const image = "<image>";
  const media = await pictureMedia(files, vision, () => ({
    token: image,
    id: imageTokenId,
    count: gridSide(vision) ** 2,
  }));
  const { bos = "<bos>", eos = "<eos>" } = files.tokenizer.special;
  return finishProcessor(files, {
    modelType: "paligemma",
    text,
    media: { image: media },
    template: paliGemmaTemplate(folder, { image, bos, eos }),
    captionPrompt: CAPTION_PROMPT,
  });
}
