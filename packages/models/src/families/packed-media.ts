import {
  type ImageMedia,
  type ImageSize,
  packedGrid,
  packedImageProcessorModule,
  type PackedClassName,
  type PackedPatches,
  parsePackedImageConfig,
} from "@thaw/data";
import { PIXEL_VALUES } from "../towers/inputs.js";
import { imageSettings, type ProcessorFiles, tokenId } from "./processor-kit.js";

/** What a model that reads packed patches says of its images. */
export interface PackedImages {
  /** Classes of image processors that it takes, the usual one first. */
  readonly classes: readonly [PackedClassName, ...PackedClassName[]];
  readonly patches: PackedPatches;
  readonly imageToken: string;
  readonly imageTokenId: number;
  readonly rasterSize: ImageSize;
}

/**
 * What becomes of images of any size whose patches are cut and packed: an image token for each block of patches; the
 * fact `grid` has frames, rows and columns of patches. @throws THAW_DATA_PROCESSOR
 */
export async function packedMedia(files: ProcessorFiles, model: PackedImages): Promise<ImageMedia> {
  const { classes, patches, imageToken, imageTokenId, rasterSize } = model;
  const { patchSize, merge, frames } = patches;
  const options = parsePackedImageConfig(await imageSettings(files), classes, patches, files.folder);
  tokenId(files, imageToken, imageTokenId);
  return {
    placeholder: imageToken,
    rasterSize,
    worker: packedImageProcessorModule(options),
    needsSize: true,
    plan(size) {
      const [rows, columns] = packedGrid(size ?? rasterSize, options);
      const tokenCount = (rows * columns) / merge ** 2;
      return {
        placeholder: imageToken.repeat(tokenCount),
        tokenId: imageTokenId,
        tokenCount,
        facts: { grid: [1, rows, columns] },
        inputs: { [PIXEL_VALUES]: { rows: rows * columns, width: 3 * frames * patchSize ** 2 } },
      };
    },
  };
}
