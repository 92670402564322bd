/** A picture as planes: `[channels, height, width]`. */
export interface PlaneSize {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/**
 * Cuts planes `[channels, height, width]` into square patches, row by row: `[patches, channels * patch * patch]`, each
 * in the order of a convolution's weight. Pixels beyond the last whole patch are left out.
 */
export function cutPatches(values: Float32Array, { channels, height, width }: PlaneSize, patch: number): Float32Array {
  const [rows, columns] = [Math.floor(height / patch), Math.floor(width / patch)];
  const patches = new Float32Array(rows * columns * channels * patch * patch);
  let at = 0;
  for (let row = 0; row < rows; row += 1)
    for (let column = 0; column < columns; column += 1)
      for (let channel = 0; channel < channels; channel += 1)
        for (let y = 0; y < patch; y += 1) {
          const from = (channel * height + row * patch + y) * width + column * patch;
          patches.set(values.subarray(from, from + patch), at);
          at += patch;
        }
  return patches;
}
