import { cropWindow } from "./crop.js";
import { cutPatches } from "./patches.js";
import { pixelPlanes, type PixelOptions } from "./pixel-values.js";
import type { ImageSize, RgbImage } from "./processor.js";

/** Cuts an image into tiles of one size, row by row. Pixels beyond the last whole tile are left out. */
export function cutTiles(image: RgbImage, tile: ImageSize): RgbImage[] {
  const [rows, columns] = [Math.floor(image.height / tile.height), Math.floor(image.width / tile.width)];
  return Array.from({ length: rows * columns }, (_, index) =>
    cropWindow(image, (index % columns) * tile.width, Math.floor(index / columns) * tile.height, tile),
  );
}

/**
 * Tiles as numbers, cut into patches, tile after tile: `[tiles * patches, 3 * patch * patch]` float32. `merge`: see
 * `cutPatches`.
 */
export function tilePatches(
  tiles: readonly RgbImage[],
  options: PixelOptions,
  patchSize: number,
  merge = 1,
): Float32Array {
  const parts = tiles.map((tile) =>
    cutPatches(pixelPlanes(tile, options), { channels: 3, width: tile.width, height: tile.height }, patchSize, merge),
  );
  const whole = new Float32Array(parts.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
