import { describe, expect, it } from "vitest";
import { itemColumns } from "../media/processor.js";
import { ovis2ImageProcessor, ovis2TileGrid, parseOvis2ImageConfig } from "./ovis2.js";

const SIZE = { height: 448, width: 448 };
const read = (settings: Readonly<Record<string, unknown>>): ReturnType<typeof parseOvis2ImageConfig> =>
  parseOvis2ImageConfig({ size: SIZE, crop_to_patches: true, ...settings }, 14, "folder");

describe("tiles of Ovis2", () => {
  // Made with transformers 5.24, get_min_tile_covering_grid(.., 448, 9) and get_optimal_tiled_canvas(.., 1, 12).
  it.each<[number, number, readonly [number, number], readonly [number, number]]>([
    [480, 640, [2, 2], [3, 4]],
    [300, 200, [1, 1], [3, 2]],
    [1000, 300, [1, 3], [3, 1]],
    [200, 1900, [5, 1], [1, 9]],
    [900, 1600, [4, 2], [2, 4]],
    [2000, 2000, [3, 3], [3, 3]],
    [50, 44, [1, 1], [1, 1]],
    [768, 384, [1, 2], [2, 1]],
  ])("of %i x %i pixels are those of transformers", (height, width, covering, nearest) => {
    expect(ovis2TileGrid({ height, width }, read({ max_patches: 9 }))).toEqual(covering);
    expect(ovis2TileGrid({ height, width }, read({ use_covering_area_grid: false }))).toEqual(nearest);
  });

  it("are the whole picture alone where none are cut", () => {
    const options = parseOvis2ImageConfig({ size: { height: 28, width: 28 } }, 14, "folder");
    expect(ovis2TileGrid({ height: 90, width: 40 }, options)).toEqual([1, 1]);
    const { pixelValues } = ovis2ImageProcessor(options).process({
      data: new Uint8Array(3 * 90 * 40),
      width: 40,
      height: 90,
    });
    expect(pixelValues).toHaveLength(28 * 28 * 3);
  });

  it.each([
    [{ do_resize: false }, "not resized"],
    [{ do_center_crop: true }, "cropped"],
    [{ size: { shortest_edge: 448 } }, "fixed size"],
    [{ min_patches: 5, max_patches: 4 }, "min_patches 5"],
  ])("are refused by name with %o", (settings, text) => {
    expect(() => read(settings)).toThrow(
      expect.objectContaining({ code: "THAW_DATA_PROCESSOR", message: expect.stringContaining(text) }),
    );
  });
});

describe("columns of an item", () => {
  const plan = { tokenId: 7, tokenCount: 4, tokens: [1, 7, 7, 2] };

  it("hold tokens of other ids, which are words elsewhere", () => {
    const ids = [1, 2, 9, 1, 7, 7, 2, 1, 7, 7, 2];
    expect(itemColumns(plan, ids, 0)).toEqual(Int32Array.of(3, 4, 5, 6));
    expect(itemColumns(plan, ids, 7)).toEqual(Int32Array.of(7, 8, 9, 10));
  });

  it.each([
    ["another token between", [1, 7, 9, 7, 2], 0],
    ["none left", [1, 7, 7, 2], 4],
    ["a beginning that is another's end", [1, 7, 7, 2], 1],
  ])("are not there with %s", (_, ids, from) => {
    expect(itemColumns(plan, ids, from)).toBeUndefined();
  });
});
