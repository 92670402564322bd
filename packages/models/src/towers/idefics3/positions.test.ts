import { describe, expect, it } from "vitest";
import { bucketPlaces, tablePlaces } from "./positions.js";

describe("places of patches in a table", () => {
  it.each([
    [7, 4, [0, 0, 1, 1, 2, 2, 3]],
    [4, 7, [0, 1, 3, 5]],
    [19, 19, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11, 13, 14, 15, 16, 17, 18]],
    [25, 25, [0, 1, 2, 3, 4, 4, 6, 7, 8, 8, 9, 10, 11, 12, 14, 14, 16, 17, 17, 19, 19, 21, 22, 22, 24]],
  ])("are those of torch.bucketize for %i patches and %i places, as float32 rounds them", (count, side, places) => {
    expect([...bucketPlaces(count, side)]).toEqual(places);
  });

  it.each([26, 27, 32])("are all places in order for %i of both, as in published models", (side) => {
    expect([...bucketPlaces(side, side)]).toEqual(Array.from({ length: side }, (_, place) => place));
  });

  it("come grid after grid, block by block", () => {
    const grids = [
      { frames: 1, rows: 2, columns: 4 },
      { frames: 1, rows: 2, columns: 2 },
    ];
    expect([...tablePlaces(grids, 2, 4)]).toEqual([0, 1, 8, 9, 2, 3, 10, 11, 0, 2, 8, 10]);
  });
});
