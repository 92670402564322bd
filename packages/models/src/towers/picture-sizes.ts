import type { ConfigReader } from "../reading/config-reader.js";
import type { PictureSize } from "./vit.js";

/** Sizes that fit together, and no dropout. @throws THAW_CHECKPOINT_CONFIG */
export function checkPictures(
  config: ConfigReader,
  {
    hiddenSize,
    headCount,
    imageSize,
    patchSize,
  }: PictureSize & { readonly hiddenSize: number; readonly headCount: number },
): void {
  if (hiddenSize % headCount !== 0)
    config.fail(
      "num_attention_heads",
      `${headCount} heads do not divide hidden_size ${hiddenSize}.`,
      "Give a number of heads that divides it.",
    );
  if (config.number("attention_dropout", 0) !== 0)
    config.fail("attention_dropout", "Dropout of attention is not supported.", "Set it to 0.");
  if (imageSize < patchSize)
    config.fail(
      "patch_size",
      `The patch of ${patchSize} pixels is larger than the image of ${imageSize}.`,
      "Give a smaller patch.",
    );
}
