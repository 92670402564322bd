import { describe, expect, it } from "vitest";
import { roundHalfEven } from "./rounding.js";

describe("roundHalfEven", () => {
  it.each([
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [2.4999, 2],
    [2.6, 3],
    [7, 7],
  ])("makes %f %i, as Python does", (value, rounded) => {
    expect(roundHalfEven(value)).toBe(rounded);
  });
});
