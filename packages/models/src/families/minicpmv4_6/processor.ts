import {
  type ImageSize,
  type ItemPlan,
  miniCpmImageProcessorModule,
  miniCpmLayout,
  parseMiniCpmImageConfig,
  type Processor,
} from "@thaw/data";
import { PIXEL_VALUES } from "../../towers/inputs.js";
import { finishProcessor, imageSettings, readProcessorFiles, tokenId } from "../processor-kit.js";
import { readMiniCpmConfig } from "./config.js";

/** Tokens by their names in tokenizer_config.json. */
const TOKENS = {
  image_token: "<|image_pad|>",
  image_start_token: "<image>",
  image_end_token: "</image>",
  slice_start_token: "<slice>",
  slice_end_token: "</slice>",
  image_id_start_token: "<image_id>",
  image_id_end_token: "</image_id>",
};

/**
 * The processor of a MiniCPM-V 4.6 checkpoint folder. Source: transformers 5.24, `processing_minicpmv4_6.py`. @throws
 * THAW_DATA_PROCESSOR, THAW_DATA_TOKENIZER, THAW_DATA_TEMPLATE, THAW_CHECKPOINT_CONFIG where files are missing or
 * disagree
 */
export async function loadMiniCpmProcessor(folder: string): Promise<Processor> {
  const files = await readProcessorFiles(folder);
  const { vision, text, imageTokenId, perToken } = readMiniCpmConfig(files.config);
  const { patchSize, channelCount, mergesBehind } = vision;
  const merge = mergesBehind === undefined ? 1 : 2;
  const settings = await imageSettings(files);
  const options = parseMiniCpmImageConfig(settings, { patchSize, perToken, merge }, folder);
  const { named } = files.tokenizer.special;
  const token = (key: keyof typeof TOKENS): string => named[key] ?? TOKENS[key];
  const image = token("image_token");
  tokenId(files, image, imageTokenId);
  const isNumbered = (files.processor["use_image_id"] ?? settings["use_image_id"]) !== false;
  const rasterSize: ImageSize = { width: options.resolution, height: options.resolution };
  const plan = (size: ImageSize = rasterSize): ItemPlan => {
    const { whole, slices } = miniCpmLayout(size, options);
    const gridOf = ({ width, height }: ImageSize): readonly [number, number] => [height / patchSize, width / patchSize];
    const perSlice = slices === undefined ? [] : gridOf(slices.size);
    const sliceCount = slices === undefined ? 0 : slices.rows * slices.columns;
    const tokens = (grid: readonly number[]): string => image.repeat((grid[0]! * grid[1]!) / perToken ** 2);
    const slice = `${token("slice_start_token")}${slices ? tokens(perSlice) : ""}${token("slice_end_token")}`;
    const lines = Array.from({ length: slices?.rows ?? 0 }, () => slice.repeat(slices!.columns));
    const grids = [...gridOf(whole), ...Array.from({ length: sliceCount }, () => perSlice).flat()];
    const rows = grids.reduce((total, side, at) => total + (at % 2 === 0 ? side * grids[at + 1]! : 0), 0);
    return {
      placeholder: token("image_start_token") + tokens(gridOf(whole)) + token("image_end_token") + lines.join("\n"),
      ...(isNumbered && { number: [token("image_id_start_token"), token("image_id_end_token")] }),
      tokenId: imageTokenId,
      tokenCount: rows / perToken ** 2,
      facts: { grids },
      inputs: { [PIXEL_VALUES]: { rows, width: channelCount * patchSize ** 2 } },
    };
  };
  const media = {
    placeholder: image,
    rasterSize,
    worker: miniCpmImageProcessorModule(options),
    needsSize: true,
    plan,
  };
  return finishProcessor(files, { modelType: "minicpmv4_6", text, media: { image: media } });
}
