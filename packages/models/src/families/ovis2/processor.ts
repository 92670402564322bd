import {
  type ImageSize,
  type ItemPlan,
  ovis2ImageProcessorModule,
  ovis2TileGrid,
  parseOvis2ImageConfig,
  type Processor,
  processorUnsupported,
} from "@thaw/data";
import { VISUAL_WORD } from "../../connectors/visual-vocabulary.js";
import { PIXEL_VALUES } from "../../towers/inputs.js";
import { checkPictureSize } from "../picture-media.js";
import { finishProcessor, imageSettings, readProcessorFiles, tokenId } from "../processor-kit.js";
import { readOvis2Config } from "./config.js";
import { INDICATORS, pictureLayout, tileCount } from "./layout.js";

const IMAGE = "<image>";
const WORD = "<IMG_ATOM>";

/**
 * The processor of an Ovis2 checkpoint folder. Source: transformers 5.24, `processing_ovis2.py`.
 * @throws THAW_DATA_PROCESSOR, THAW_DATA_TOKENIZER, THAW_DATA_TEMPLATE, THAW_CHECKPOINT_CONFIG where files are missing
 * or disagree
 */
export async function loadOvis2Processor(folder: string): Promise<Processor> {
  const files = await readProcessorFiles(folder);
  const { vision, text, imageTokenId, indicatorIds, side, wordsPerTile } = readOvis2Config(files.config);
  const options = parseOvis2ImageConfig(await imageSettings(files), vision.patchSize, folder);
  checkPictureSize(options.size, vision, folder);
  const said = files.processor["image_seq_length"] ?? wordsPerTile;
  if (said !== wordsPerTile)
    throw processorUnsupported(
      folder,
      `The processor writes ${JSON.stringify(said)} tokens for a tile, but the projector gives ${wordsPerTile}.`,
      "Correct image_seq_length in processor_config.json or hidden_stride in config.json.",
    );
  tokenId(files, WORD, imageTokenId);
  for (const [index, indicator] of INDICATORS.entries()) tokenId(files, indicator, indicatorIds[index]);
  const planOf = (size: ImageSize): ItemPlan => {
    const grid = ovis2TileGrid(size, options);
    const layout = pictureLayout(grid, wordsPerTile);
    const tiles = tileCount(grid);
    return {
      placeholder: layout.map((token) => (token === VISUAL_WORD ? WORD : INDICATORS[token]!)).join(""),
      tokenId: imageTokenId,
      tokenCount: layout.length,
      tokens: layout.map((token) => (token === VISUAL_WORD ? imageTokenId : indicatorIds[token]!)),
      facts: { tiles: [tiles], tileGrid: grid },
      inputs: { [PIXEL_VALUES]: { rows: tiles * side ** 2, width: vision.channelCount * vision.patchSize ** 2 } },
    };
  };
  return finishProcessor(files, {
    modelType: "ovis2",
    text,
    media: {
      image: {
        placeholder: IMAGE,
        rasterSize: options.size,
        worker: ovis2ImageProcessorModule(options),
        needsSize: options.tiles !== undefined,
        plan: (size) => planOf(size ?? options.size),
      },
    },
  });
}
