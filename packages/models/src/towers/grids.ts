import { AttentionSpans } from "@thaw/autograd";
import { rowOffsets, type MediaItem, type Scope } from "@thaw/contracts";
import { placeOf } from "@thaw/data";
import { linesAt, type RotarySource } from "../passes/rotary-lines.js";
import type { EncoderPass } from "./encoder-layer.js";

/** Patches of an item: frames of a clip, or one picture. */
export interface Grid {
  readonly frames: number;
  readonly rows: number;
  readonly columns: number;
}

/** The grid of an item: its fact `grid`, which has frames (one, if they are left out), rows and columns of patches. */
export function gridOf({ facts }: Pick<MediaItem, "facts">): Grid {
  const [columns = 1, rows = 1, frames = 1] = [...(facts["grid"] ?? [])].reverse();
  return { frames, rows, columns };
}

/**
 * The grids of an item that is made of tiles or slices of any size: its fact `grids`, which has rows and columns of
 * patches of one after those of another.
 */
export function gridsOf({ facts }: Pick<MediaItem, "facts">): readonly Grid[] {
  const sides = facts["grids"] ?? [];
  return Array.from({ length: sides.length / 2 }, (_, at) => ({
    frames: 1,
    rows: sides[2 * at]!,
    columns: sides[2 * at + 1]!,
  }));
}

/** Patches of all grids of such an item. */
export function patchesOfGrids(item: Pick<MediaItem, "facts">): number {
  return gridsOf(item).reduce((total, grid) => total + patchCount(grid), 0);
}

/** Patches of a grid. */
export function patchCount({ frames, rows, columns }: Grid): number {
  return frames * rows * columns;
}

/** Rows of an item whose blocks of `merge * merge` patches each become one. */
export function mergedRows(merge: number): (item: Pick<MediaItem, "facts">) => number {
  return (item) => patchCount(gridOf(item)) / merge ** 2;
}

/**
 * Row and column of each patch in its frame, grid after grid, frame after frame, in the order of `cutPatches`: blocks
 * of `merge * merge` patches lie together.
 */
export function patchPlaces(grids: readonly Grid[], merge: number): readonly [rows: Int32Array, columns: Int32Array] {
  const count = grids.reduce((total, grid) => total + patchCount(grid), 0);
  const axes = [new Int32Array(count), new Int32Array(count)] as const;
  let at = 0;
  for (const { frames, rows, columns } of grids)
    for (let frame = 0; frame < frames; frame++)
      for (let index = 0; index < rows * columns; index++, at++)
        [axes[0][at], axes[1][at]] = placeOf(index, columns, merge);
  return axes;
}

/** Each frame of clips by itself. */
export function framesOf(grids: readonly Grid[]): readonly Grid[] {
  return grids.flatMap((grid) => Array.from({ length: grid.frames }, () => ({ ...grid, frames: 1 })));
}

/** Patches that see those of their own frame alone. */
export function frameSpans(grids: readonly Grid[]): AttentionSpans {
  return stretchSpans(framesOf(grids).map(patchCount));
}

/** Stretches of so many rows, whose rows see one another. */
export function stretchSpans(lengths: readonly number[]): AttentionSpans {
  return lengths.every((length) => length === lengths[0])
    ? AttentionSpans.even(lengths.length, lengths[0]!, false)
    : AttentionSpans.within(rowOffsets(lengths), false);
}

/**
 * What layers need whose patches see their own frame and are turned by row (axis 0 of the rotary options) and column
 * (axis 1).
 */
export function patchPass(grids: readonly Grid[], merge: number, rotary: RotarySource, scope: Scope): EncoderPass {
  return { spans: frameSpans(grids), rotary: linesAt(rotary, patchPlaces(grids, merge), scope) };
}
