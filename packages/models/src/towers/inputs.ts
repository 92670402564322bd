import type { MediaItem } from "@thaw/contracts";

/** Input of towers that read pictures: patches, one per row. */
export const PIXEL_VALUES = "pixelValues";

/** Of how many pictures of a tower's size an item is made: its fact `tiles`, or one. */
export function tilesOf({ facts }: MediaItem): number {
  return facts["tiles"]?.[0] ?? 1;
}
