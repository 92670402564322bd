import type { LoadedBatch, MediaItem } from "@thaw/contracts";
import { expect, it } from "vitest";
import { gridAttending } from "./grid-positions.js";

const item = (sample: number, first: number, grid: readonly number[], tokens: number): MediaItem => ({
  modality: "image",
  contentKey: "",
  sample,
  columns: Int32Array.from({ length: tokens }, (_, at) => first + at),
  facts: { grid },
  inputs: {},
  load: () => Promise.resolve({}),
});

it("counts text on all axes, and tokens of items by time, row and column", () => {
  const media = [item(0, 1, [1, 4, 6], 6), item(0, 8, [1, 2, 2], 1)];
  const mask = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1];
  const batch = { media, batchSize: 2, tokenCount: 11, attentionMask: Int32Array.from(mask) } as unknown as LoadedBatch;
  const { axes, next } = gridAttending(2).positions!(batch);
  const row = (axis: number, sample: number): number[] => [...axes[axis]!.subarray(sample * 11, sample * 11 + 10)];
  expect(row(0, 0)).toEqual([0, 1, 1, 1, 1, 1, 1, 4, 5, 6]);
  expect(row(1, 0)).toEqual([0, 1, 1, 1, 2, 2, 2, 4, 5, 6]);
  expect(row(2, 0)).toEqual([0, 1, 2, 3, 1, 2, 3, 4, 5, 6]);
  for (const axis of [0, 1, 2]) expect(row(axis, 1)).toEqual([0, 0, 0, 1, 2, 3, 4, 5, 6, 7]);
  expect([...next]).toEqual([7, 9]);
});
