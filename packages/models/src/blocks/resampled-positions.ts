import { gatherRows, matmul, type Value } from "@thaw/autograd";
import type { Scope } from "@thaw/contracts";
import { tensor2d } from "@tensorflow/tfjs-core";

/** How a table of positions is read between its places. */
export type ResamplingKernel = "bilinear" | "bicubic";

/** A table of positions, `side * side` rows that lie row by row. */
export interface PositionTable {
  readonly side: number;
  readonly kernel: ResamplingKernel;
  /** True if the first and last patch stand at the first and last place; else pixels' middles are compared. */
  readonly alignsCorners: boolean;
}

/** The patches of a frame, by their places. */
export interface PatchFrame {
  readonly rows: number;
  readonly columns: number;
}

/** Sharpness of the cubic kernel of PyTorch's `interpolate` and `grid_sample`. */
const SHARPNESS = -0.75;

/** The kernel's weight at a distance, in places of the table. */
function weightAt(kernel: ResamplingKernel, distance: number): number {
  const x = Math.abs(distance);
  if (kernel === "bilinear") return Math.max(0, 1 - x);
  if (x <= 1) return ((SHARPNESS + 2) * x - (SHARPNESS + 3)) * x * x + 1;
  return x < 2 ? ((SHARPNESS * x - 5 * SHARPNESS) * x + 8 * SHARPNESS) * x - 4 * SHARPNESS : 0;
}

/**
 * What each of `size` patches of one axis takes of each of the table's places, `[size, side]`: places beyond the border
 * count as the border. Source: transformers 5.24, `vision_utils.py`, `_interpolation_axis_taps_weights`.
 */
export function axisWeights(size: number, { side, kernel, alignsCorners }: PositionTable): Float32Array {
  const weights = new Float32Array(size * side);
  const [first, last] = kernel === "bilinear" ? [0, 1] : [-1, 2];
  for (let index = 0; index < size; index++) {
    const at = alignsCorners ? (index * (side - 1)) / Math.max(size - 1, 1) : ((index + 0.5) * side) / size - 0.5;
    const below = Math.floor(at);
    for (let tap = below + first; tap <= below + last; tap++)
      weights[index * side + Math.min(side - 1, Math.max(0, tap))]! += weightAt(kernel, at - tap);
  }
  return weights;
}

/**
 * Positions of patches, `[patches, hidden]`, of frames of any size: `table [side * side, hidden]`, resampled to each
 * frame. `places`: row and column of every patch, frame after frame. Frames of equal size are resampled once.
 */
export function resampledPositions(
  table: Value,
  options: PositionTable,
  frames: readonly PatchFrame[],
  places: readonly [rows: Int32Array, columns: Int32Array],
  scope: Scope,
): Value {
  const area = options.side ** 2;
  const starts = new Map<string, number>();
  const parts: Float32Array[] = [];
  const chosen = new Int32Array(places[0].length);
  let [made, at] = [0, 0];
  for (const frame of frames) {
    const key = `${frame.rows}x${frame.columns}`;
    if (!starts.has(key)) {
      starts.set(key, made);
      parts.push(frameWeights(frame, options));
      made += frame.rows * frame.columns;
    }
    for (let patch = 0; patch < frame.rows * frame.columns; patch++, at++)
      chosen[at] = starts.get(key)! + places[0][at]! * frame.columns + places[1][at]!;
  }
  const weights = new Float32Array(made * area);
  let row = 0;
  for (const part of parts) {
    weights.set(part, row);
    row += part.length;
  }
  return gatherRows(matmul(scope.own(tensor2d(weights, [made, area])), table), chosen);
}

/** What each patch of a frame takes of the table, `[rows * columns, side * side]`, row by row. */
function frameWeights({ rows, columns }: PatchFrame, options: PositionTable): Float32Array {
  const { side } = options;
  const [down, across] = [axisWeights(rows, options), axisWeights(columns, options)];
  const weights = new Float32Array(rows * columns * side * side);
  for (let row = 0; row < rows; row++)
    for (let y = 0; y < side; y++) {
      const share = down[row * side + y]!;
      if (share === 0) continue;
      for (let column = 0; column < columns; column++)
        for (let x = 0; x < side; x++)
          weights[((row * columns + column) * side + y) * side + x] = share * across[column * side + x]!;
    }
  return weights;
}
