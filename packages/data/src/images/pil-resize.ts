import type { ImageSize, RgbImage } from "./processor.js";
import { judgeResult } from "./size-limits.js";
import { RESAMPLE_FILTERS, type ResampleFilter, type ResampleName } from "./resample-filters.js";

/** Fixed-point bits of a coefficient: 32 - 8 of a pixel - 2 of headroom. */
const PRECISION_BITS = 22;

interface Coefficients {
  /** Most coefficients of one output pixel. */
  readonly width: number;
  /** `[outputs, width]`, fixed point. */
  readonly values: Int32Array;
  /** First input pixel and count of each output pixel, `[outputs, 2]`. */
  readonly bounds: Int32Array;
}

/** `precompute_coeffs` and `normalize_coeffs_8bpc` of Pillow, operation by operation: the rounding must agree. */
function coefficients(inputs: number, outputs: number, filter: ResampleFilter): Coefficients {
  const scale = inputs / outputs;
  const filterScale = Math.max(scale, 1);
  const inverse = 1 / filterScale;
  const support = filter.support * filterScale;
  const width = Math.ceil(support) * 2 + 1;
  const values = new Int32Array(outputs * width);
  const bounds = new Int32Array(outputs * 2);
  const weights = new Float64Array(width);
  for (let output = 0; output < outputs; output += 1) {
    const center = (output + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const count = Math.min(inputs, Math.trunc(center + support + 0.5)) - first;
    let sum = 0;
    for (let index = 0; index < count; index += 1) {
      const weight = filter.weight((index + first - center + 0.5) * inverse);
      weights[index] = weight;
      sum += weight;
    }
    for (let index = 0; index < count; index += 1) {
      const weight =
        (sum === 0 ? (weights[index] as number) : (weights[index] as number) / sum) * (1 << PRECISION_BITS);
      values[output * width + index] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    bounds[output * 2] = first;
    bounds[output * 2 + 1] = count;
  }
  return { width, values, bounds };
}

function clip8(sum: number): number {
  const value = sum >> PRECISION_BITS;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

function horizontal(image: RgbImage, width: number, filter: ResampleFilter): RgbImage {
  const { width: stride, values, bounds } = coefficients(image.width, width, filter);
  const { data, height } = image;
  const output = new Uint8Array(width * height * 3);
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 3) {
      const count = bounds[x * 2 + 1] as number;
      let red = 1 << (PRECISION_BITS - 1);
      let green = red;
      let blue = red;
      for (
        let index = 0, from = (y * image.width + (bounds[x * 2] as number)) * 3;
        index < count;
        index += 1, from += 3
      ) {
        const value = values[x * stride + index] as number;
        red += (data[from] as number) * value;
        green += (data[from + 1] as number) * value;
        blue += (data[from + 2] as number) * value;
      }
      output[at] = clip8(red);
      output[at + 1] = clip8(green);
      output[at + 2] = clip8(blue);
    }
  }
  return { width, height, data: output };
}

function vertical(image: RgbImage, height: number, filter: ResampleFilter): RgbImage {
  const { width: stride, values, bounds } = coefficients(image.height, height, filter);
  const row = image.width * 3;
  const output = new Uint8Array(row * height);
  const sums = new Int32Array(row);
  for (let y = 0; y < height; y += 1) {
    sums.fill(1 << (PRECISION_BITS - 1));
    const first = bounds[y * 2] as number;
    const count = bounds[y * 2 + 1] as number;
    for (let index = 0; index < count; index += 1) {
      const value = values[y * stride + index] as number;
      const from = (first + index) * row;
      for (let x = 0; x < row; x += 1) sums[x] = (sums[x] as number) + (image.data[from + x] as number) * value;
    }
    for (let x = 0; x < row; x += 1) output[y * row + x] = clip8(sums[x] as number);
  }
  return { width: image.width, height, data: output };
}

/** Positions that Pillow's affine scaling reads: accumulated, not multiplied, so that the rounding agrees. */
function nearestPositions(inputs: number, outputs: number): Int32Array {
  const scale = inputs / outputs;
  const positions = new Int32Array(outputs);
  let position = scale * 0.5;
  for (let output = 0; output < outputs; output += 1) {
    positions[output] = Math.min(inputs - 1, Math.trunc(position));
    position += scale;
  }
  return positions;
}

function nearest(image: RgbImage, size: ImageSize): RgbImage {
  const columns = nearestPositions(image.width, size.width);
  const rows = nearestPositions(image.height, size.height);
  const output = new Uint8Array(size.width * size.height * 3);
  let at = 0;
  for (const row of rows) {
    for (const column of columns) {
      const from = (row * image.width + column) * 3;
      output.set(image.data.subarray(from, from + 3), at);
      at += 3;
    }
  }
  return { width: size.width, height: size.height, data: output };
}

/**
 * `PIL.Image.resize` of an RGB image, bit for bit: integer coefficients of 22 bits, horizontal pass first, 8 bits
 * between the passes. Port of python-pillow/Pillow 12.3.0, `src/libImaging/Resample.c` and (nearest) `Geometry.c`.
 * Pillow 13 runs the vertical pass first where the height shrinks much more than the width (python-pillow/Pillow#9549),
 * which moves single values by 1; the order here is that of all before.
 * @throws Error for a result that no memory should hold
 */
export function pilResize(image: RgbImage, size: ImageSize, resample: ResampleName): RgbImage {
  if (image.width === size.width && image.height === size.height) return image;
  judgeResult(image, size);
  if (resample === "nearest") return nearest(image, size);
  const filter = RESAMPLE_FILTERS[resample];
  const wide = image.width === size.width ? image : horizontal(image, size.width, filter);
  return wide.height === size.height ? wide : vertical(wide, size.height, filter);
}
