import { expect, it } from "vitest";
import type { Batch } from "@thaw/contracts";
import { padTokens } from "./inputs.js";

const batch: Batch = {
  tokenIds: Int32Array.of(1, 2, 3, 4, 5, 6), attentionMask: Int32Array.of(1, 1, 1, 1, 1, 0), labels: Int32Array.of(-100, 2, 3, -100, 5, -100),
  batchSize: 2, tokenCount: 3, inputs: {}, segmentOutputs: {}, samples: [{ id: "a" }, { id: "b" }],
};

it("fills tokens up to a multiple, with padding that nothing learns", () => {
  expect(padTokens(batch, 4, 100)).toEqual({
    ...batch, tokenCount: 4, tokenIds: Int32Array.of(1, 2, 3, 0, 4, 5, 6, 0), attentionMask: Int32Array.of(1, 1, 1, 0, 1, 1, 0, 0), labels: Int32Array.of(-100, 2, 3, -100, -100, 5, -100, -100),
  });
});

it("leaves alone what has it, and goes no further than the model's positions", () => {
  expect(padTokens(batch, 3, 100)).toBe(batch);
  expect(padTokens(batch, 4, 3)).toBe(batch);
});
