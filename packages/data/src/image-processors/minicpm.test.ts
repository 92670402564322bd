import { describe, expect, it } from "vitest";
import { miniCpmImageProcessor, miniCpmLayout, parseMiniCpmImageConfig } from "./minicpm.js";

const sizes = { patchSize: 14, perToken: 4, merge: 2 };
const published = parseMiniCpmImageConfig({}, sizes, "folder");
const whole = (height: number, width: number) => ({ whole: { height, width } });
const sliced = (height: number, width: number, rows: number, columns: number, tall: number, wide: number) => ({
  ...whole(height, width),
  slices: { rows, columns, size: { height: tall, width: wide } },
});

describe("miniCpmLayout", () => {
  // Height and width, then what transformers 5.24 makes of them, with the published options.
  it.each([
    [448, 448, whole(448, 448)],
    [100, 60, whole(560, 336)],
    [600, 800, sliced(392, 504, 2, 2, 392, 504)],
    [2000, 300, sliced(1176, 168, 4, 1, 560, 336)],
    [333, 777, sliced(280, 672, 1, 2, 392, 504)],
    [3000, 4000, sliced(392, 504, 3, 3, 392, 504)],
  ])("of %i x %i pixels is that of transformers", (height, width, layout) => {
    expect(miniCpmLayout({ height, width }, published)).toEqual(layout);
  });

  it("slices nothing where that is switched off", () => {
    const off = parseMiniCpmImageConfig({ slice_mode: false }, sizes, "folder");
    expect(miniCpmLayout({ height: 3000, width: 4000 }, off)).toEqual(whole(392, 504));
  });
});

describe("parseMiniCpmImageConfig", () => {
  it.each([
    [{ patch_size: 16 }, "patch_size 16"],
    [{ downsample_mode: "4x" }, "downsample_mode"],
    [{ max_slice_nums: 0 }, "max_slice_nums 0"],
    [{ do_resize: false }, "do_resize"],
    [{ image_processor_type: "SiglipImageProcessor" }, "not known"],
  ])("refuses %j by name", (config, message) => {
    expect(() => parseMiniCpmImageConfig(config, sizes, "folder")).toThrow(message);
  });
});

describe("miniCpmImageProcessor", () => {
  it("gives the image as a whole, then its slices row by row", () => {
    const options = parseMiniCpmImageConfig(
      { patch_size: 1, scale_resolution: 4, resample: 0, do_normalize: false, do_rescale: false },
      { patchSize: 1, perToken: 4, merge: 2 },
      "folder",
    );
    const data = Uint8Array.from({ length: 8 * 4 * 3 }, (_, at) => Math.floor(at / 3));
    const { pixelValues } = miniCpmImageProcessor(options).process({ width: 8, height: 4, data });
    const first = [...pixelValues!].filter((_, at) => at % 3 === 0);
    const { slices } = miniCpmLayout({ width: 8, height: 4 }, options);
    expect(slices).toEqual({ rows: 1, columns: 2, size: { height: 4, width: 4 } });
    expect(first.slice(-32)).toEqual([
      0, 1, 8, 9, 2, 3, 10, 11, 16, 17, 24, 25, 18, 19, 26, 27, 4, 5, 12, 13, 6, 7, 14, 15, 20, 21, 28, 29, 22, 23, 30,
      31,
    ]);
  });
});
