import {
  type ClipImageOptions,
  clipImageProcessorModule,
  type ImageMedia,
  type ImageSize,
  type ItemPlan,
  parseClipImageConfig,
  processorUnsupported,
} from "@thaw/data";
import { PIXEL_VALUES } from "../towers/inputs.js";
import { gridSide, type PictureSize } from "../towers/vit.js";
import { imageSettings, type ProcessorFiles, tokenId } from "./processor-kit.js";

/** The tokens that stand for a picture. */
export interface PictureTokens {
  readonly token: string;
  /** What config.json says its id is. */
  readonly id: number;
  /** How many of them, and so how many features. */
  readonly count: number;
}

/** @throws THAW_DATA_PROCESSOR if pictures come out in another size than the tower reads */
export function checkPictureSize({ width, height }: ImageSize, { imageSize }: PictureSize, folder: string): void {
  if (height === imageSize && width === imageSize) return;
  throw processorUnsupported(
    folder,
    `The image processor makes images of ${width}x${height} pixels, but the vision tower reads ` +
      `${imageSize}x${imageSize}.`,
    "Set size, or crop_size if it crops, in preprocessor_config.json to the image_size of config.json.",
  );
}

/**
 * What becomes of pictures before a tower that reads them in one size, by CLIP's processor or one in its form.
 * `tokensOf`: what stands for a picture, given the processor's settings.
 * @throws THAW_DATA_PROCESSOR
 */
export async function pictureMedia(
  files: ProcessorFiles,
  picture: PictureSize,
  tokensOf: (image: ClipImageOptions) => PictureTokens,
): Promise<ImageMedia> {
  const image = parseClipImageConfig(await imageSettings(files), files.folder);
  const { token, id, count } = tokensOf(image);
  tokenId(files, token, id);
  checkPictureSize(image.size, picture, files.folder);
  const side = gridSide(picture);
  const plan: ItemPlan = {
    placeholder: token.repeat(count),
    tokenId: id,
    tokenCount: count,
    facts: { grid: [side, side] },
    inputs: { [PIXEL_VALUES]: { rows: side ** 2, width: picture.channelCount * picture.patchSize ** 2 } },
  };
  return {
    placeholder: token,
    rasterSize: image.size,
    worker: clipImageProcessorModule({ ...image, patchSize: picture.patchSize }),
    needsSize: false,
    plan: () => plan,
  };
}
