/** A picture as planes: `[channels, height, width]`. */
export interface PlaneSize {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/**
 * Cuts planes `[channels, height, width]` into square patches: `[patches, channels * patch * patch]`, each in the order
 * of a convolution's weight. They come row by row, or by blocks of `merge * merge` patches, the blocks row by row and
 * the patches in them too. Pixels beyond the last whole block are left out.
 */
export function cutPatches(
  values: Float32Array,
  { channels, height, width }: PlaneSize,
  patch: number,
  merge = 1,
): Float32Array {
  const [rows, columns] = [height, width].map((side) => Math.floor(side / (patch * merge)) * merge) as [number, number];
  const patches = new Float32Array(rows * columns * channels * patch * patch);
  let at = 0;
  for (let index = 0; index < rows * columns; index += 1) {
    const [row, column] = placeOf(index, columns, merge);
    for (let channel = 0; channel < channels; channel += 1)
      for (let y = 0; y < patch; y += 1) {
        const from = (channel * height + row * patch + y) * width + column * patch;
        patches.set(values.subarray(from, from + patch), at);
        at += patch;
      }
  }
  return patches;
}

/** Row and column of patch `index` in a grid of so many `columns`, of which blocks of `merge * merge` lie together. */
export function placeOf(index: number, columns: number, merge: number): readonly [row: number, column: number] {
  const [block, inner] = [Math.floor(index / (merge * merge)), index % (merge * merge)];
  const wide = columns / merge;
  return [Math.floor(block / wide) * merge + Math.floor(inner / merge), (block % wide) * merge + (inner % merge)];
}

/**
 * Patches in the order of a convolution's weight, `[patches, channels * pixels]`, as `[patches, pixels * channels]`.
 */
export function channelsLast(patches: Float32Array, channels: number, pixels: number): Float32Array {
  const size = channels * pixels;
  return patches.map((_, at) => {
    const inner = at % size;
    return patches[at - inner + (inner % channels) * pixels + Math.floor(inner / channels)] as number;
  });
}
