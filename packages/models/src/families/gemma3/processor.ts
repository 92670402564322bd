import { shown } from "@thaw/contracts";
import {
  gemma3ImageProcessorModule,
  type ImageSize,
  type ItemPlan,
  panAndScanParts,
  parseGemma3ImageConfig,
  type Processor,
  processorUnsupported,
} from "@thaw/data";
import { PIXEL_VALUES } from "../../towers/inputs.js";
import { gridSide } from "../../towers/vit.js";
import { checkPictureSize } from "../picture-media.js";
import { finishProcessor, imageSettings, readProcessorFiles, tokenId } from "../processor-kit.js";
import { readGemma3Config } from "./config.js";

/**
 * The processor of a Gemma 3 checkpoint folder. Source: transformers 5.24, `processing_gemma3.py`.
 * @throws THAW_DATA_PROCESSOR, THAW_DATA_TOKENIZER, THAW_DATA_TEMPLATE, THAW_CHECKPOINT_CONFIG where files are missing
 * or disagree
 */
export async function loadGemma3Processor(folder: string): Promise<Processor> {
  const files = await readProcessorFiles(folder);
  const config = readGemma3Config(files.config);
  const { vision, imageTokenId } = config;
  const perTile = config.tokensPerSide ** 2;
  const options = parseGemma3ImageConfig(await imageSettings(files), vision.patchSize, folder);
  checkPictureSize(options.size, vision, folder);
  const said = files.processor["image_seq_length"] ?? perTile;
  if (said !== perTile)
    throw processorUnsupported(
      folder,
      `The processor writes ${shown(said)} tokens for an image, but the projector gives ${perTile}.`,
      "Correct image_seq_length in processor_config.json or mm_tokens_per_image in config.json.",
    );
  const { named } = files.tokenizer.special;
  const begin = named["boi_token"] ?? "<start_of_image>";
  const imageToken = named["image_token"] ?? "<image_soft_token>";
  tokenId(files, imageToken, imageTokenId);
  const sequence = `\n\n${begin}${imageToken.repeat(perTile)}${named["eoi_token"] ?? "<end_of_image>"}\n\n`;
  const planOf = (size: ImageSize): ItemPlan => {
    const parts = panAndScanParts(size, options.panAndScan).length;
    const tiles = 1 + parts;
    const crops = Array.from({ length: parts }, () => sequence).join(" ");
    return {
      placeholder:
        parts === 0
          ? sequence
          : `Here is the original image ${sequence} and here are some crops to help you see better ${crops}`,
      tokenId: imageTokenId,
      tokenCount: tiles * perTile,
      facts: { tiles: [tiles] },
      inputs: {
        [PIXEL_VALUES]: { rows: tiles * gridSide(vision) ** 2, width: vision.channelCount * vision.patchSize ** 2 },
      },
    };
  };
  return finishProcessor(files, {
    modelType: "gemma3",
    text: config.text,
    media: {
      image: {
        placeholder: begin,
        rasterSize: options.size,
        worker: gemma3ImageProcessorModule(options),
        needsSize: options.panAndScan !== undefined,
        plan: (size) => planOf(size ?? options.size),
      },
    },
  });
}
