import { shown } from "@thaw/contracts";
import {
  type ImageMedia,
  parsePixtralImageConfig,
  pixtralGrid,
  pixtralImageProcessorModule,
  processorUnsupported,
} from "@thaw/data";
import { PIXEL_VALUES } from "../towers/inputs.js";
import type { PixtralConfig } from "../towers/pixtral/config.js";
import { imageSettings, type ProcessorFiles, type ProcessorJson, tokenId } from "./processor-kit.js";

/** What a model with a Pixtral tower says of its images. */
export interface PixtralImages {
  readonly vision: Pick<PixtralConfig, "patchSize" | "channelCount">;
  readonly imageTokenId: number;
  /** Patches a side of the blocks that become one token. */
  readonly merge: number;
}

/**
 * What becomes of images before a Pixtral tower: rows of image tokens, each closed by a token for the break, the last
 * by one for the end. Source: transformers 5.24, `processing_pixtral.py`. @throws THAW_DATA_PROCESSOR
 */
export async function pixtralMedia(files: ProcessorFiles, model: PixtralImages): Promise<ImageMedia> {
  const { folder, processor } = files;
  const { vision, merge } = model;
  const { patchSize } = vision;
  const settings = await imageSettings(files);
  checkPatches(processor, settings, patchSize, merge, folder);
  const options = parsePixtralImageConfig(settings, { patchSize, merge }, folder);
  const token = (key: string, fallback: string): string => {
    const named = processor[key];
    return typeof named === "string" ? named : fallback;
  };
  const image = token("image_token", "[IMG]");
  const [rowBreak, end] = [token("image_break_token", "[IMG_BREAK]"), token("image_end_token", "[IMG_END]")];
  tokenId(files, image, model.imageTokenId);
  for (const other of [rowBreak, end]) tokenId(files, other);
  return {
    placeholder: image,
    rasterSize: options.largest,
    worker: pixtralImageProcessorModule(options),
    needsSize: true,
    plan(size) {
      const grid = pixtralGrid(size ?? options.largest, options);
      const [rows, columns] = [grid[0] / merge, grid[1] / merge];
      return {
        placeholder: Array.from({ length: rows }, () => image.repeat(columns)).join(rowBreak) + end,
        tokenId: model.imageTokenId,
        tokenCount: rows * columns,
        facts: { grid },
        inputs: { [PIXEL_VALUES]: { rows: grid[0] * grid[1], width: vision.channelCount * patchSize ** 2 } },
      };
    },
  };
}

/**
 * The processor's patches must be those of the tower, or its tokens would not be; those of the image processor, which
 * the processor passes over, are either or those of a token.
 */
function checkPatches(
  processor: ProcessorJson,
  settings: ProcessorJson,
  patchSize: number,
  merge: number,
  folder: string,
): void {
  const side = patchSize * merge;
  const written = processor["patch_size"];
  const said = written === undefined ? side : Number(written) * Number(processor["spatial_merge_size"] ?? 1);
  if (said !== side)
    throw processorUnsupported(
      folder,
      `The processor makes a token of ${said} pixels a side, but the model of ${side}.`,
      "Correct patch_size and spatial_merge_size in processor_config.json.",
    );
  const own = settings["patch_size"];
  const sides = typeof own === "object" && own !== null ? Object.values(own) : own === undefined ? [] : [own];
  if (written === undefined && sides.some((value) => value !== patchSize && value !== side))
    throw processorUnsupported(
      folder,
      `The image processor cuts patches of ${shown(own)} pixels, but the tower of ${patchSize}.`,
      "Correct patch_size in preprocessor_config.json.",
    );
}
