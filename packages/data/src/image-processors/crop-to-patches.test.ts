import { describe, expect, it } from "vitest";
import { cropGrid, cropToPatches, parseCropToPatchesConfig } from "./crop-to-patches.js";

const parse = (file: Readonly<Record<string, unknown>>) => parseCropToPatchesConfig(file, "here");
const cropped = (file: Readonly<Record<string, unknown>> = {}) =>
  parse({ size: { height: 28, width: 28 }, crop_to_patches: true, ...file });

describe("the grid of tiles", () => {
  // transformers 5.24, `get_optimal_tiled_canvas`, whose answers are columns and rows.
  it.each([
    [45, 90, 1, 6, 1, 2],
    [60, 31, 1, 12, 2, 1],
    [26, 60, 1, 12, 2, 5],
    [28, 28, 1, 12, 1, 1],
    [200, 200, 1, 12, 3, 3],
    [45, 46, 2, 3, 2, 1],
    [100, 20, 1, 12, 5, 1],
    [10, 300, 1, 4, 1, 4],
  ])("of %i x %i pixels and %i to %i tiles is %i x %i", (height, width, least, most, rows, columns) => {
    expect(cropGrid({ height, width }, cropped({ min_patches: least, max_patches: most }))).toEqual({ rows, columns });
  });

  it("is one where images are not cropped", () => {
    for (const file of [{ crop_to_patches: false }, { max_patches: 1 }])
      expect(cropGrid({ height: 28, width: 280 }, cropped(file))).toEqual({ rows: 1, columns: 1 });
  });
});

it("puts the whole image behind its tiles, and gives one that is a tile alone", () => {
  const options = { ...cropped({ size: { height: 4, width: 4 }, do_normalize: false }), patchSize: 2, merge: 2 };
  const data = Uint8Array.from({ length: 4 * 8 * 3 }, (_, at) => (Math.floor(at / 3) % 8 < 4 ? 0 : 255));
  const { pixelValues } = cropToPatches(options).process({ width: 8, height: 4, data });
  expect(pixelValues).toHaveLength(3 * 48);
  expect([...new Set(pixelValues!.subarray(0, 48))]).toEqual([0]);
  expect([...new Set(pixelValues!.subarray(48, 96))]).toEqual([1]);
  const square = cropToPatches(options).process({ width: 4, height: 4, data: data.slice(0, 48) });
  expect(square["pixelValues"]).toHaveLength(48);
});

describe("the config of an image processor", () => {
  it.each([
    ["another class", { image_processor_type: "CLIPImageProcessor" }, "CLIPImageProcessor"],
    ["a size of another kind", { size: { shortest_edge: 3 } }, "size"],
    ["fewer tiles at most than at least", { min_patches: 5, max_patches: 4 }, "5 to 4"],
    ["images that are neither cropped nor resized", { do_resize: false, crop_to_patches: false }, "not resized"],
  ])("refuses %s by name", (_, file, named) => {
    expect(() => parse(file)).toThrow(
      expect.objectContaining({ code: "THAW_DATA_PROCESSOR", message: expect.stringContaining(named) }),
    );
  });
});
