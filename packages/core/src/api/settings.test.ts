import { describe, expect, it } from "vitest";
import { settingsOf } from "./settings.js";

describe("settingsOf", () => {
  it("takes an empty object inside as a leaf, as it asks for defaults, and an empty section as nothing", () => {
    const paths = (value: unknown) => settingsOf("freeze", value).map(({ path, value: leaf }) => [path, leaf]);
    expect(paths({})).toEqual([]);
    expect(paths(undefined)).toEqual([]);
    expect(paths({ components: { x: { lora: {} }, y: { match: [] }, z: undefined } })).toEqual([
      ["freeze.components.x.lora", {}],
      ["freeze.components.y.match", []],
    ]);
  });
});
