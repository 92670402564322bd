import { describe, expect, it } from "vitest";
import { stepsOf } from "./elementwise.js";

const row = { bRow: 0, isSingle: 0 };
const single = { bRow: 4, isSingle: 1 };

describe("how the second operand is walked", () => {
  it.each([
    ["as large", [2, 3, 4], [2, 3, 4], { rows: 1, length: 24, ...row }],
    ["one number", [2, 3, 4], [], { rows: 1, length: 24, bRow: 0, isSingle: 1 }],
    ["a row", [2, 3, 4], [4], { rows: 6, length: 4, ...row }],
    ["trailing axes", [2, 3, 4], [1, 3, 4], { rows: 2, length: 12, ...row }],
    ["a number per row", [2, 3, 4], [2, 3, 1], { rows: 6, length: 4, ...single }],
    ["a number per leading axis", [2, 3, 4], [2, 1, 1], { rows: 2, length: 12, ...single }],
    ["axes of one", [2, 1, 4], [1, 4], { rows: 2, length: 4, ...row }],
    ["both ends repeated", [2, 3, 4], [3, 1], undefined],
    ["a middle repeated", [2, 3, 4], [2, 1, 4], undefined],
    ["one that widens the first", [2, 1, 4], [3, 4], undefined],
    ["more axes", [4], [1, 4], undefined],
  ])("%s", (_, a, b, expected) => expect(stepsOf(a, b)).toEqual(expected));
});
