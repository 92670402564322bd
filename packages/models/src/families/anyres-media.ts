import {
  anyresImageProcessorModule,
  bestPinpoint,
  type ImageMedia,
  type ImageSize,
  parseAnyresImageConfig,
  processorUnsupported,
} from "@thaw/data";
import { packedRows } from "../connectors/anyres-packing.js";
import { PIXEL_VALUES } from "../towers/inputs.js";
import type { AnyresConfig } from "./llava_next/config.js";
import { checkPictureSize } from "./picture-media.js";
import { imageSettings, type ProcessorFiles, tokenId } from "./processor-kit.js";

/**
 * What becomes of images of a LLaVA with tiles. `imageClass`: that of an image processor which does not say its own.
 * Source: transformers 5.24, `processing_llava_next.py` and `processing_llava_onevision.py`.
 * @throws THAW_DATA_PROCESSOR where processor and model would count tokens otherwise
 */
export async function anyresMedia(
  files: ProcessorFiles,
  config: AnyresConfig,
  imageClass: string,
): Promise<ImageMedia> {
  const { folder, processor, tokenizer } = files;
  const { vision, imageTokenId, side } = config;
  const { patchSize, channelCount } = vision;
  const options = parseAnyresImageConfig(await imageSettings(files), imageClass, folder);
  const { size, tile, pinpoints } = options;
  checkPictureSize(size, vision, folder);
  checkPictureSize({ width: tile, height: tile }, vision, folder);
  if (JSON.stringify(pinpoints) !== JSON.stringify(config.pinpoints))
    throw processorUnsupported(
      folder,
      "The image processor and config.json have other image_grid_pinpoints.",
      "Write the same list into both, in the same order.",
    );
  const named = tokenizer.special.image ?? processor["image_token"];
  const imageToken = typeof named === "string" ? named : "<image>";
  tokenId(files, imageToken, imageTokenId);
  const planOf = ({ width, height }: ImageSize) => {
    const best = bestPinpoint({ width, height }, pinpoints);
    const tileGrid = [best.height / tile, best.width / tile] as const;
    const tiles = 1 + tileGrid[0] * tileGrid[1];
    const facts = { tiles: [tiles], tileGrid, size: [height, width] };
    const tokenCount = packedRows({ facts }, config);
    return {
      placeholder: imageToken.repeat(tokenCount),
      tokenId: imageTokenId,
      tokenCount,
      facts,
      inputs: { [PIXEL_VALUES]: { rows: tiles * side ** 2, width: channelCount * patchSize ** 2 } },
    };
  };
  return {
    placeholder: imageToken,
    rasterSize: size,
    worker: anyresImageProcessorModule({ ...options, patchSize }),
    needsSize: true,
    plan: (given) => planOf(given ?? size),
  };
}
