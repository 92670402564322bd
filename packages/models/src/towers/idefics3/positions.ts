import type { Grid } from "../grids.js";
import { patchPlaces } from "../grids.js";

/** Numbers that PyTorch makes at a time where it makes `arange` by AVX2, and in one round of its loop. */
const LANES = 8;
const ROUND = 2 * LANES;

/** The largest share of a tile that a patch may lie at. */
const LAST = Math.fround(1 - 1e-6);

/**
 * `torch.arange(1 / side, 1, 1 / side)` in float32, as PyTorch 2.15 rounds it on x86 (`RangeFactoriesKernel.cpp`):
 * the first of eight numbers is rounded before the others are made from it, but for those behind the last whole round.
 */
function boundaries(side: number): Float32Array {
  const step = 1 / side;
  const count = Math.ceil((1 - step) / step);
  const inRounds = count - (count % ROUND);
  return Float32Array.from({ length: count }, (_, index) => {
    const lane = index < inRounds ? index % LANES : 0;
    const first = step + step * (index - lane);
    return lane === 0 ? first : Math.fround(first) + step * lane;
  });
}

/**
 * Which of `side` places of a table each of `count` patches along an edge of a tile takes. Where both are as many,
 * rounding lets some patches share a place. Source: transformers 5.24, `modeling_idefics3.py`,
 * `Idefics3VisionEmbeddings`, whose float32 arithmetic this repeats.
 */
export function bucketPlaces(count: number, side: number, shareOf: ShareOf = idefics3Share): Int32Array {
  const limits = boundaries(side);
  return Int32Array.from({ length: count }, (_, index) => {
    const at = Math.fround(shareOf(index, count));
    return limits.filter((limit) => limit <= at).length;
  });
}

/** At which share of an edge of `count` patches patch `index` lies, which is rounded to float32. */
export type ShareOf = (index: number, count: number) => number;

function idefics3Share(index: number, count: number): number {
  return Math.min(Math.fround(index * Math.fround(1 / count)), LAST);
}

/** Row of the table, `side` places a side, for each patch of all grids, in the order of `patchPlaces`. */
export function tablePlaces(grids: readonly Grid[], merge: number, side: number, shareOf?: ShareOf): Int32Array {
  const [rows, columns] = patchPlaces(grids, merge);
  const places = new Int32Array(rows.length);
  let patch = 0;
  for (const grid of grids) {
    const [down, across] = [bucketPlaces(grid.rows, side, shareOf), bucketPlaces(grid.columns, side, shareOf)];
    for (const end = patch + grid.rows * grid.columns; patch < end; patch++)
      places[patch] = down[rows[patch]!]! * side + across[columns[patch]!]!;
  }
  return places;
}
