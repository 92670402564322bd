import { expect, it } from "vitest";
import { batchOf } from "../../test-support/scope.js";
import { evenEnd, keepRows } from "./kept-rows.js";

const sample = (length: number): number[] => Array.from({ length }, () => 1);

it.each([
  ["the whole of samples of one length", batchOf([sample(20), sample(20)], []), undefined, 20],
  ["a multiple of 16 from which nothing is needed", batchOf([sample(40), sample(40)], []), [25, 30], 32],
  ["no more than there is", batchOf([sample(20), sample(20)], []), [18, 20], 20],
  ["nowhere, if that adds more than a quarter", batchOf([sample(40), sample(10)], [0, 30]), undefined, undefined],
  ["where little padding follows", batchOf([sample(40), sample(36)], [0, 4]), undefined, 40],
  ["nowhere, if padding comes first", batchOf([sample(40), sample(36)], [0, -4]), undefined, undefined],
] as const)("lets even samples end at %s", (_, batch, ends, wanted) => {
  expect(evenEnd(batch, ends)).toBe(wanted);
});

it("leaves out padding and what lies outside of a sample's limits", () => {
  const batch = batchOf([sample(3), sample(2)], [0, 1]);
  expect(keepRows(batch, { skipsPadding: true })).toEqual({
    rows: Int32Array.of(0, 1, 2, 3, 4),
    offsets: Int32Array.of(0, 3, 5),
    isWhole: false,
  });
  expect(keepRows(batch, { skipsPadding: false, starts: [1, 0], ends: [3, 3] })).toEqual({
    rows: Int32Array.of(1, 2, 3, 4, 5),
    offsets: Int32Array.of(0, 2, 5),
    isWhole: false,
  });
});
