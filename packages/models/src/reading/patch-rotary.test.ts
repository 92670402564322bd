import { describe, expect, it } from "vitest";
import { configReader } from "./config-reader.js";
import { readPatchRotary } from "./patch-rotary.js";

const read = (raw: Readonly<Record<string, unknown>>): number =>
  readPatchRotary(configReader("config.json", raw, "vision_config"), 64, 8);

describe("readPatchRotary", () => {
  it.each([
    [{}, 10000],
    [{ rope_theta: 500 }, 500],
    [{ rope_parameters: { rope_type: "axial", rope_theta: 50 }, rope_theta: 500 }, 50],
    [{ rope_parameters: { rope_type: "default", rope_theta: 50 } }, 50],
    [{ rope_scaling: { type: "default" }, rope_theta: 500, head_dim: 8 }, 500],
  ])("reads the base of %j as %d", (raw, theta) => {
    expect(read(raw)).toBe(theta);
  });

  it.each([
    [{ head_dim: 16 }, "vision_config.head_dim"],
    [{ attention_dropout: 0.1 }, "vision_config.attention_dropout"],
    [{ rope_scaling: { type: "linear", factor: 2 } }, "vision_config.rope_scaling.type"],
    [{ rope_parameters: { rope_type: "yarn" } }, "vision_config.rope_parameters.rope_type"],
  ])("refuses %j by name", (raw, key) => {
    expect(() => read(raw)).toThrow(
      expect.objectContaining({ message: expect.stringContaining(key) as string }) as Error,
    );
  });

  it("refuses heads that do not have as many pairs for rows as for columns", () => {
    const config = configReader("config.json", {}, "vision_config");
    expect(() => readPatchRotary(config, 60, 10)).toThrow(/10 heads of a width of 60 have 6 columns/);
  });
});
