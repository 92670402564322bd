import { expect, it } from "vitest";
import { explainReads } from "./webgpu.js";

it("says what reads a card's values at once, and leaves other reads as they are", () => {
  const backend = {
    readSync: (id: { value?: number }): number => {
      if (id.value === undefined) throw new ReferenceError("OffscreenCanvas is not defined");
      return id.value;
    },
  };
  explainReads(backend);
  const once = backend.readSync;
  explainReads(backend);
  expect(backend.readSync).toBe(once);
  expect(backend.readSync({ value: 3 })).toBe(3);
  expect(() => backend.readSync({})).toThrow(
    expect.objectContaining({
      code: "THAW_BACKEND_READS_LATER",
      message: expect.stringContaining("router with experts") as string,
    }),
  );
});
