import { expect, it } from "vitest";
import type { MediaItem } from "../batch.js";
import { ownersOfItems, ownersOfTokens } from "./row-owners.js";

it("rows of tokens are their samples', counted from the first token", () => {
  const attentionMask = Int32Array.of(1, 1, 1, 0, 0, 1, 1, 1);
  expect(ownersOfTokens(Int32Array.of(0, 2, 5, 7), { attentionMask, batchSize: 2, tokenCount: 4 })).toEqual({
    samples: Int32Array.of(0, 0, 1, 1),
    places: Int32Array.of(0, 2, 0, 2),
  });
});

it("rows of items go with what is read of them, and are counted on in a sample with several", () => {
  const item = (sample: number, rows: number): MediaItem =>
    ({ sample, inputs: { pixels: { rows, width: 1 } } }) as unknown as MediaItem;
  const find = ownersOfItems([item(0, 2), item(2, 4), item(2, 2)], "pixels");
  // Two rows of what is read become one
  expect(find(4)).toEqual({ samples: Int32Array.of(0, 2, 2, 2), places: Int32Array.of(0, 0, 1, 2) });
  expect([find(5), ownersOfItems([], "pixels")(0)]).toEqual([undefined, undefined]);
  const even = ownersOfItems([item(1, 2), item(1, 4)], undefined);
  expect(even(6)?.places).toEqual(Int32Array.of(0, 1, 2, 3, 4, 5));
});
