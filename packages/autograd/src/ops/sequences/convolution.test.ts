import { beforeAll, expect, it } from "vitest";
import { useBackend } from "../../../test/backends.js";
import { type Case, evaluate, type Input, randomInput, relativeError } from "../../../test/numeric.js";
import { causalConvolution } from "../../index.js";

beforeAll(async () => useBackend("cpu"));

const [X, W] = [randomInput([7, 3], 1), randomInput([3, 4], 2)];
const whole: Case = ([x, w]) => causalConvolution(x!, w!, { offsets: Int32Array.of(0, 7) });
const valuesOf = (run: Case, inputs: readonly Input[]): Float32Array =>
  evaluate(
    run,
    inputs,
    inputs.map(() => false),
    null,
    "flags",
  ).output;

it("sums over a row and those before it, channel by channel", () => {
  const wanted = Float32Array.from({ length: 21 }, (_, at) => {
    const [row, channel] = [Math.floor(at / 3), at % 3];
    let sum = 0;
    for (let tap = 0; tap < 4; tap++)
      sum += W.values[channel * 4 + tap]! * (X.values[(row - 3 + tap) * 3 + channel] ?? 0);
    return sum;
  });
  expect(relativeError(valuesOf(whole, [X, W]), wanted)).toBeLessThan(1e-6);
});

it("goes on behind earlier rows as in one piece", () => {
  const rows = (first: number, end: number): Input => ({
    shape: [end - first, 3],
    values: X.values.slice(first * 3, end * 3),
  });
  const behind: Case = ([x, w, initial]) =>
    causalConvolution(x!, w!, { offsets: Int32Array.of(0, 2), initial: initial! });
  const got = valuesOf(behind, [rows(5, 7), W, rows(2, 5)]);
  expect(relativeError(got, valuesOf(whole, [X, W]).slice(15))).toBeLessThan(1e-6);
});

it("refuses shapes and offsets that do not fit", () => {
  const shape = expect.objectContaining({ code: "THAW_AUTOGRAD_SHAPE" });
  for (const offsets of [
    [0, 6],
    [1, 7],
    [0, 5, 4, 7],
  ]) {
    const run: Case = ([x, w]) => causalConvolution(x!, w!, { offsets: Int32Array.from(offsets) });
    expect(() => valuesOf(run, [X, W])).toThrow(shape);
  }
  expect(() => valuesOf(whole, [X, randomInput([4, 3], 1)])).toThrow(shape);
});
