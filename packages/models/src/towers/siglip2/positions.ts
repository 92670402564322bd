import type { Grid } from "../grids.js";
import { patchCount, patchPlaces } from "../grids.js";

/**
 * Weights that resample a square table of `side * side` positions to grids of any size: `[patches, side * side]`,
 * row-major, patches in the order of `patchPlaces`. Bilinear, antialiased where a grid is smaller than the table,
 * corners not aligned. Source: transformers 5.24, `modeling_siglip2.py`, `resize_positional_embeddings`.
 */
export function antialiasedWeights(grids: readonly Grid[], merge: number, side: number): Float32Array {
  const [rows, columns] = patchPlaces(grids, merge);
  const weights = new Float32Array(rows.length * side * side);
  let patch = 0;
  for (const grid of grids) {
    const vertical = axisWeights(grid.rows, side);
    const horizontal = axisWeights(grid.columns, side);
    for (const end = patch + patchCount(grid); patch < end; patch++)
      for (let y = 0; y < side; y++) {
        const weight = vertical[rows[patch]! * side + y]!;
        for (let x = 0; weight > 0 && x < side; x++)
          weights[(patch * side + y) * side + x] = weight * horizontal[columns[patch]! * side + x]!;
      }
  }
  return weights;
}

/** `[count, side]`: how much of each place of a table a place of a grid takes along one axis. */
function axisWeights(count: number, side: number): Float64Array {
  const scale = side / count;
  const support = Math.max(scale, 1);
  const weights = new Float64Array(count * side);
  for (let place = 0; place < count; place++) {
    const center = (place + 0.5) * scale - 0.5;
    const line = weights.subarray(place * side, (place + 1) * side);
    line.forEach((_, at) => (line[at] = Math.max(0, 1 - Math.abs(at - center) / support)));
    const sum = line.reduce((total, weight) => total + weight, 0);
    line.forEach((weight, at) => (line[at] = weight / sum));
  }
  return weights;
}
