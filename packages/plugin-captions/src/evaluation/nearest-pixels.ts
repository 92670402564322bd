/** Pictures of one shape `[channels, height, width]`, float32. */
export interface PictureSet {
  readonly shape: readonly number[];
  readonly values: readonly Float32Array[];
}

/** Side of the square blocks whose means bound a distance from below. */
const BLOCK = 4;

/**
 * Sums of `BLOCK` x `BLOCK` squares over the root of their size: by Cauchy and Schwarz, their squared distance is at
 * most the pictures'.
 */
function blockSums(picture: Float32Array, [channels = 1, height = 1, width = 1]: readonly number[]): Float32Array {
  const rows = Math.ceil(height / BLOCK);
  const columns = Math.ceil(width / BLOCK);
  const sums = new Float32Array(channels * rows * columns);
  for (let channel = 0, at = 0; channel < channels; channel += 1) {
    for (let y = 0; y < height; y += 1) {
      const row = (channel * rows + Math.floor(y / BLOCK)) * columns;
      for (let x = 0; x < width; x += 1, at += 1)
        sums[row + Math.floor(x / BLOCK)] = (sums[row + Math.floor(x / BLOCK)] as number) + (picture[at] as number);
    }
  }
  return sums.map((sum) => sum / BLOCK);
}

/** Squared distance; gives up (Infinity) once it passes `limit`. */
function squaredDistance(left: Float32Array, right: Float32Array, limit: number): number {
  let sum = 0;
  for (let start = 0; start < left.length; start += 256) {
    const end = Math.min(left.length, start + 256);
    for (let index = start; index < end; index += 1) {
      const difference = (left[index] as number) - (right[index] as number);
      sum += difference * difference;
    }
    if (sum > limit) return Number.POSITIVE_INFINITY;
  }
  return sum;
}

/**
 * Makes a search for the picture with the least squared distance of values; the first of equals. Exact: a picture is
 * skipped only where the distance of its block means already exceeds the best found.
 */
export function nearestPicture(set: PictureSet): (picture: Float32Array) => number {
  const sums = set.values.map((picture) => blockSums(picture, set.shape));
  const bounds = new Float64Array(sums.length);
  return (picture) => {
    const own = blockSums(picture, set.shape);
    sums.forEach((other, index) => (bounds[index] = squaredDistance(own, other, Number.POSITIVE_INFINITY)));
    const order = Array.from(bounds.keys()).sort((left, right) => (bounds[left] as number) - (bounds[right] as number));
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (const index of order) {
      // Rounding of the float32 sums must not lose a picture.
      if ((bounds[index] as number) * (1 - 1e-5) > least) break;
      const distance = squaredDistance(picture, set.values[index] as Float32Array, least);
      if (distance < least || (distance === least && index < best)) [best, least] = [index, distance];
    }
    return best;
  };
}
