import { expect, it } from "vitest";
import { smartResize, type SmartResize } from "./smart-resize.js";

const PLAIN: SmartResize = { factor: 28, minPixels: 56 ** 2, maxPixels: 28 ** 2 * 1280 };
const GLM: SmartResize = { factor: 28, minPixels: 112 ** 2, maxPixels: 28 ** 2 * 1500, frames: 2, small: "scaled" };
const PADDLE: SmartResize = { factor: 28, minPixels: 147384, maxPixels: 2822400, small: "rounded" };

/** Height and width of images, then of what transformers 5.24's three functions make of them. */
const CASES: readonly (readonly (readonly [number, number])[])[] = [
  [
    [50, 44],
    [56, 56],
    [112, 84],
    [420, 364],
  ],
  [
    [26, 60],
    [56, 112],
    [56, 140],
    [252, 588],
  ],
  [
    [10, 300],
    [28, 308],
    [28, 840],
    [84, 2128],
  ],
  [
    [300, 9],
    [336, 28],
    [924, 28],
    [2240, 84],
  ],
  [
    [1000, 1400],
    [840, 1176],
    [644, 896],
    [1008, 1400],
  ],
  [
    [4000, 3000],
    [1148, 840],
    [868, 644],
    [1932, 1428],
  ],
  [
    [14, 14],
    [56, 56],
    [84, 84],
    [392, 392],
  ],
  [
    [70, 98],
    [56, 112],
    [56, 112],
    [336, 476],
  ],
  [
    [1, 150],
    [28, 700],
    [28, 4200],
    [56, 4704],
  ],
];

it.each(CASES)("makes of %j what transformers makes of it: %j, %j and %j", (from, ...wanted) => {
  const [height, width] = from;
  const made = [PLAIN, GLM, PADDLE].map((options) => smartResize({ height, width }, options));
  expect(made.map((size) => [size.height, size.width])).toEqual(wanted);
});

it("refuses an image that is too narrow", () => {
  expect(() => smartResize({ height: 2, width: 402 }, PLAIN)).toThrow(/402 x 2 differ by more than 200 times/);
});
