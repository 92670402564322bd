import {
  idefics3Grid,
  idefics3ImageProcessorModule,
  type ImageSize,
  type ItemPlan,
  parseIdefics3ImageConfig,
  type Processor,
  processorUnsupported,
  type TileGrid,
} from "@thaw/data";
import { PIXEL_VALUES } from "../../towers/inputs.js";
import { finishProcessor, imageSettings, readProcessorFiles, tokenId } from "../processor-kit.js";
import { readIdefics3Config } from "./config.js";

/** Tokens around the image tokens. */
interface Around {
  /** Before each tile and behind the whole image. */
  readonly fake: string;
  readonly whole: string;
}

/**
 * What stands for an image: its tiles row by row, a line each, an empty line, the whole image. `run`: the image tokens
 * of one tile. Source: transformers 5.24, `processing_idefics3.py`, `replace_image_token`.
 */
function placeholderOf({ rows, columns }: TileGrid, run: string, { fake, whole }: Around): string {
  const tile = (row: number, column: number): string => `${fake}<row_${row + 1}_col_${column + 1}>${run}`;
  const lines = Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (__, column) => tile(row, column)).join(""),
  );
  const split = lines.length === 0 ? "" : `${lines.join("\n")}\n\n`;
  return `${split}${fake}${whole}${run}${fake}`;
}

/**
 * The processor of an Idefics3 or SmolVLM checkpoint folder. @throws THAW_DATA_PROCESSOR, THAW_DATA_TOKENIZER,
 * THAW_DATA_TEMPLATE, THAW_CHECKPOINT_CONFIG where files are missing or disagree
 */
export async function loadIdefics3Processor(folder: string, modelType: string): Promise<Processor> {
  const files = await readProcessorFiles(folder);
  const { vision, text, merge, imageTokenId } = readIdefics3Config(files.config);
  const { patchSize, channelCount } = vision;
  const options = parseIdefics3ImageConfig(await imageSettings(files), folder);
  const side = Math.floor(options.tile / patchSize);
  const perTile = (side / merge) ** 2;
  if (side === 0 || side % merge !== 0)
    throw processorUnsupported(
      folder,
      `Tiles of ${options.tile} pixels are ${side} patches a side, which blocks of ${merge} do not divide.`,
      "Correct max_image_size in preprocessor_config.json, or scale_factor and patch_size in config.json.",
    );
  const said = files.processor["image_seq_len"] ?? perTile;
  if (said !== perTile)
    throw processorUnsupported(
      folder,
      `The processor writes ${JSON.stringify(said)} tokens for a tile, but the projector gives ${perTile}.`,
      "Correct image_seq_len in processor_config.json or scale_factor in config.json.",
    );
  const { named } = files.tokenizer.special;
  const image = named["image_token"] ?? "<image>";
  const around = {
    fake: named["fake_image_token"] ?? "<fake_token_around_image>",
    whole: named["global_image_token"] ?? "<global-img>",
  };
  tokenId(files, image, imageTokenId);
  const rasterSize = { width: options.tile, height: options.tile };
  const plan = (size: ImageSize = rasterSize): ItemPlan => {
    const grid = idefics3Grid(size, options);
    const tiles = grid.rows * grid.columns + 1;
    return {
      placeholder: placeholderOf(grid, image.repeat(perTile), around),
      tokenId: imageTokenId,
      tokenCount: tiles * perTile,
      facts: { grids: Array.from({ length: 2 * tiles }, () => side) },
      inputs: { [PIXEL_VALUES]: { rows: tiles * side ** 2, width: channelCount * patchSize ** 2 } },
    };
  };
  const worker = idefics3ImageProcessorModule({ ...options, patchSize, merge });
  return finishProcessor(files, {
    modelType,
    text,
    media: { image: { placeholder: image, rasterSize, worker, needsSize: true, plan } },
  });
}
