import { AttentionSpans } from "@thaw/autograd";
import { patchCount, type Grid } from "../grids.js";

/** Patches in an order in which those of a window lie together, and back. */
export interface Windows {
  /** For each place of the new order, the patch that stands there. */
  readonly order: Int32Array;
  /** For each patch, its place in the new order. */
  readonly inverse: Int32Array;
  /** Which places see one another. */
  readonly spans: AttentionSpans;
}

/**
 * Windows of `side * side` blocks over grids of any size, row by row; those at the right and lower edge are what is
 * left. Blocks of `merge * merge` patches stay together. Source: transformers 5.24, `vision_utils.py`,
 * `get_vision_window_index`.
 */
export function windowsOf(grids: readonly Grid[], merge: number, side: number): Windows {
  const order: number[] = [];
  const ends = [0];
  const perBlock = merge ** 2;
  let start = 0;
  for (const { frames, rows, columns } of grids) {
    const [high, wide] = [rows / merge, columns / merge];
    for (let frame = 0; frame < frames; frame++, start += rows * columns)
      for (let top = 0; top < high; top += side)
        for (let left = 0; left < wide; left += side) {
          for (let row = top; row < Math.min(top + side, high); row++)
            for (let column = left; column < Math.min(left + side, wide); column++)
              for (let patch = 0; patch < perBlock; patch++)
                order.push(start + (row * wide + column) * perBlock + patch);
          ends.push(order.length);
        }
  }
  const inverse = new Int32Array(grids.reduce((total, grid) => total + patchCount(grid), 0));
  order.forEach((patch, place) => {
    inverse[patch] = place;
  });
  return { order: Int32Array.from(order), inverse, spans: AttentionSpans.within(Int32Array.from(ends), false) };
}
