import type { MediaItem } from "@thaw/contracts";

/** Input of towers that read pictures: patches, one per row. */
export const PIXEL_VALUES = "pixelValues";

/** Input of towers that read sound: mel frames, or samples, of a stretch of time per row. */
export const INPUT_FEATURES = "inputFeatures";

/** Of how many pictures of a tower's size an item is made: its fact `tiles`, or one. */
export function tilesOf({ facts }: MediaItem): number {
  return facts["tiles"]?.[0] ?? 1;
}
