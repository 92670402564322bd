import { expect, it } from "vitest";
import { cutPatches } from "./patches.js";

/** Two channels of 4 rows and 6 columns, each value its place: channel, row, column. */
const size = { channels: 2, height: 4, width: 6 };
const values = Float32Array.from(
  { length: 48 },
  (_, at) => Math.floor(at / 24) * 100 + Math.floor((at % 24) / 6) * 10 + (at % 6),
);

/** The first value of each patch. */
const firsts = (patches: Float32Array, width: number): number[] => [...patches].filter((_, at) => at % width === 0);

it("cuts patches row by row, and leaves out what is not a whole one", () => {
  expect(firsts(cutPatches(values, size, 2), 8)).toEqual([0, 2, 4, 20, 22, 24]);
  expect([...cutPatches(values, size, 3)].slice(0, 9)).toEqual([0, 1, 2, 10, 11, 12, 20, 21, 22]);
  expect(cutPatches(values, size, 3)).toHaveLength(2 * 18);
});

it("cuts patches by blocks, which lie row by row", () => {
  expect(firsts(cutPatches(values, size, 1, 2), 2)).toEqual([
    0, 1, 10, 11, 2, 3, 12, 13, 4, 5, 14, 15, 20, 21, 30, 31, 22, 23, 32, 33, 24, 25, 34, 35,
  ]);
  expect(firsts(cutPatches(values, size, 1, 3), 2)).toEqual([
    0, 1, 2, 10, 11, 12, 20, 21, 22, 3, 4, 5, 13, 14, 15, 23, 24, 25,
  ]);
});
