import { expect, it } from "vitest";
import { axisWeights } from "./resampled-positions.js";

const rows = (size: number, side: number, ...rest: readonly ["bilinear" | "bicubic", boolean]): number[][] => {
  const [kernel, alignsCorners] = rest;
  const weights = axisWeights(size, { side, kernel, alignsCorners });
  return Array.from({ length: size }, (_, at) =>
    [...weights.subarray(at * side, (at + 1) * side)].map((value) => Number(value.toFixed(6))),
  );
};

it("takes places as they are where there are as many patches", () => {
  for (const kernel of ["bilinear", "bicubic"] as const)
    for (const aligns of [true, false])
      expect(rows(3, 3, kernel, aligns)).toEqual([
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ]);
});

it("mixes neighbours, corners aligned or not, and counts what lies beyond as the border", () => {
  expect(rows(3, 2, "bilinear", true)).toEqual([
    [1, 0],
    [0.5, 0.5],
    [0, 1],
  ]);
  expect(rows(4, 2, "bilinear", false)).toEqual([
    [1, 0],
    [0.75, 0.25],
    [0.25, 0.75],
    [0, 1],
  ]);
  // PyTorch 2.15, grid_sample, bicubic, border, of a table with a single one.
  expect(rows(2, 4, "bicubic", false)).toEqual([
    [0.5, 0.59375, -0.09375, 0],
    [0, -0.09375, 0.59375, 0.5],
  ]);
});
