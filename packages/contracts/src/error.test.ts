import { AutogradError } from "@thaw/autograd";
import { describe, expect, it } from "vitest";
import { ThawError } from "./error.js";

describe("ThawError", () => {
  it("counts autograd's errors and those of another copy of the package", () => {
    expect(new AutogradError("THAW_AUTOGRAD_SHAPE", "Wrong.")).toBeInstanceOf(ThawError);
    expect(Object.assign(new Error("Wrong."), { name: "ThawError", code: "THAW_X" })).toBeInstanceOf(ThawError);
  });

  it("does not count other errors", () => {
    expect(new Error("Wrong.") instanceof ThawError).toBe(false);
    expect(Object.assign(new Error("Wrong."), { code: "ENOENT" }) instanceof ThawError).toBe(false);
    expect((null as unknown) instanceof ThawError).toBe(false);
  });
});
