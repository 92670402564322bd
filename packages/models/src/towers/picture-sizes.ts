import type { ConfigReader } from "../reading/config-reader.js";
import { checkHeads, type TowerSizes } from "./sizes.js";
import type { PictureSize } from "./vit.js";

/** Sizes that fit together, and no dropout. @throws THAW_CHECKPOINT_CONFIG */
export function checkPictures(
  config: ConfigReader,
  vision: PictureSize & Pick<TowerSizes, "hiddenSize" | "headCount">,
): void {
  const { imageSize, patchSize } = vision;
  checkHeads(config, vision);
  if (imageSize < patchSize)
    config.fail(
      "patch_size",
      `The patch of ${patchSize} pixels is larger than the image of ${imageSize}.`,
      "Give a smaller patch.",
    );
}
