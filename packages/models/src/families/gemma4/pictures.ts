import {
  gemma4Grid,
  type Gemma4ImageOptions,
  type ImageMedia,
  type ImageSize,
  type ItemPlan,
  type MediaProcessorModule,
} from "@thaw/data";
import { PIXEL_VALUES } from "../../towers/inputs.js";
import { type ProcessorFiles, tokenId } from "../processor-kit.js";

/** What a model of the Gemma 4 kind says of its pictures. */
export interface Gemma4PictureRules {
  readonly imageTokenId: number;
  /** Places along each axis of the table of positions. */
  readonly places: number;
  readonly worker: MediaProcessorModule;
  /** Patches a side of what becomes one row of the input. */
  readonly cell: number;
}

/**
 * What becomes of pictures before Gemma 4: as many tokens as blocks of patches, between a token that begins and one
 * that ends a picture. Source: transformers 5.24, `processing_gemma4.py`. @throws THAW_DATA_PROCESSOR
 */
export function gemma4Pictures(
  files: ProcessorFiles,
  options: Gemma4ImageOptions,
  { imageTokenId, places, worker, cell }: Gemma4PictureRules,
): ImageMedia {
  const { patchSize, merge, maxTokens } = options;
  const { named } = files.tokenizer.special;
  const begin = named["boi_token"] ?? "<|image>";
  const image = named["image_token"] ?? "<|image|>";
  const end = named["eoi_token"] ?? "<image|>";
  tokenId(files, image, imageTokenId);
  for (const other of [begin, end]) tokenId(files, other);
  const side = Math.round(Math.sqrt(maxTokens)) * merge * patchSize;
  const rasterSize: ImageSize = { width: side, height: side };
  const plan = (size: ImageSize = rasterSize): ItemPlan => {
    const grid = gemma4Grid(size, options).map((patches) => patches / cell) as [number, number];
    if (Math.max(...grid) > places)
      throw new Error(
        `A picture of ${size.width}x${size.height} pixels becomes ${grid[1]}x${grid[0]} patches, and the model has ` +
          `positions for ${places} along an axis.`,
      );
    const rows = grid[0] * grid[1];
    const tokenCount = rows / (merge / cell) ** 2;
    return {
      placeholder: begin + image.repeat(tokenCount) + end,
      tokenId: imageTokenId,
      tokenCount,
      facts: { grid },
      inputs: { [PIXEL_VALUES]: { rows, width: 3 * (patchSize * cell) ** 2 } },
    };
  };
  return { placeholder: image, rasterSize, worker, needsSize: true, plan };
}
