import {
  type ImageSize,
  type ItemPlan,
  lfm2ImageProcessorModule,
  lfm2Layout,
  type Lfm2Layout,
  parseLfm2ImageConfig,
  type Processor,
} from "@thaw/data";
import { PIXEL_VALUES } from "../../towers/inputs.js";
import { finishProcessor, imageSettings, readProcessorFiles, tokenId } from "../processor-kit.js";
import { readLfm2VlConfig } from "./config.js";

const IMAGE = "<image>";
const NAMED = { start: "<|image_start|>", end: "<|image_end|>", thumbnail: "<|img_thumbnail|>" };

/** Tokens that delimit an image, its tiles and its thumbnail. Source: transformers 5.24, `processing_lfm2_vl.py`. */
function placeholderOf(counts: readonly number[], { tiles, hasWhole }: Lfm2Layout, isDelimited: boolean): string {
  const named = (name: string): string => (isDelimited ? name : "");
  const parts = counts.map((count, part) => {
    const [row, column] = tiles === undefined ? [0, 0] : [Math.floor(part / tiles.columns), part % tiles.columns];
    const isWhole = hasWhole && part === counts.length - 1;
    const before = tiles === undefined ? "" : isWhole ? NAMED.thumbnail : `<|img_row_${row + 1}_col_${column + 1}|>`;
    return named(before) + IMAGE.repeat(count);
  });
  return named(NAMED.start) + parts.join("") + named(NAMED.end);
}

/**
 * The processor of an LFM2-VL checkpoint folder. @throws THAW_DATA_PROCESSOR, THAW_DATA_TOKENIZER, THAW_DATA_TEMPLATE,
 * THAW_CHECKPOINT_CONFIG where files are missing or disagree
 */
export async function loadLfm2VlProcessor(folder: string): Promise<Processor> {
  const files = await readProcessorFiles(folder);
  const config = readLfm2VlConfig(files.config);
  const { vision, merge, text, imageTokenId } = config;
  const { patchSize, channelCount } = vision;
  const options = parseLfm2ImageConfig(await imageSettings(files), { patchSize, merge }, folder);
  const isDelimited = files.processor["use_image_special_tokens"] !== false;
  tokenId(files, IMAGE, imageTokenId);
  if (isDelimited) for (const token of Object.values(NAMED)) tokenId(files, token);
  const largest = Math.sqrt(options.tokens.most) * patchSize * merge;
  const rasterSize: ImageSize = { width: Math.round(largest), height: Math.round(largest) };
  const plan = (size: ImageSize = rasterSize): ItemPlan => {
    const layout = lfm2Layout(size, options);
    const cells = (pixels: number): number => pixels / patchSize;
    const tile = cells(options.tiles?.side ?? 0);
    const tileCount = layout.tiles === undefined ? 0 : layout.tiles.rows * layout.tiles.columns;
    const grids = [
      ...Array.from({ length: tileCount }, () => [tile, tile] as const),
      ...(layout.hasWhole ? [[cells(layout.whole.height), cells(layout.whole.width)] as const] : []),
    ];
    const counts = grids.map(([rows, columns]) => (rows * columns) / merge ** 2);
    const tokenCount = counts.reduce((total, count) => total + count, 0);
    return {
      placeholder: placeholderOf(counts, layout, isDelimited),
      tokenId: imageTokenId,
      tokenCount,
      facts: { grids: grids.flat() },
      inputs: { [PIXEL_VALUES]: { rows: tokenCount * merge ** 2, width: channelCount * patchSize ** 2 } },
    };
  };
  const image = {
    placeholder: IMAGE,
    rasterSize,
    worker: lfm2ImageProcessorModule(options),
    needsSize: true,
    plan,
  };
  return finishProcessor(files, { modelType: "lfm2_vl", text, media: { image } });
}
