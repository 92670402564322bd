import { describe, expect, it } from "vitest";
import { lfm2ImageProcessor, lfm2Layout, parseLfm2ImageConfig } from "./lfm2.js";

const published = parseLfm2ImageConfig({}, { patchSize: 16, merge: 2 }, "folder");
const whole = (height: number, width: number) => ({ whole: { height, width }, hasWhole: true });
const split = (height: number, width: number, rows: number, columns: number) => ({
  ...whole(height, width),
  tiles: { rows, columns },
});

describe("lfm2Layout", () => {
  // Height and width, then what transformers 5.24 makes of them, with the published options.
  it.each([
    [300, 400, whole(288, 384)],
    [16, 16, whole(256, 256)],
    [10, 900, whole(32, 2432)],
    [720, 720, whole(512, 512)],
    [768, 1024, split(416, 576, 2, 3)],
    [1024, 1024, split(512, 512, 2, 2)],
    [1024, 1280, split(448, 544, 3, 3)],
    [2000, 2500, split(448, 544, 3, 3)],
    [3000, 400, split(1376, 160, 8, 1)],
    [752, 1008, split(416, 576, 2, 3)],
  ])("of %i x %i pixels is that of transformers", (height, width, layout) => {
    expect(lfm2Layout({ height, width }, published)).toEqual(layout);
  });
});

describe("parseLfm2ImageConfig", () => {
  const parse = (config: object) => parseLfm2ImageConfig({ ...config }, { patchSize: 16, merge: 2 }, "folder");

  it.each([
    [{ encoder_patch_size: 14 }, "encoder_patch_size 14"],
    [{ downsample_factor: 3 }, "downsample_factor 3"],
    [{ min_tiles: 1 }, "min_tiles 1"],
    [{ min_tiles: 12 }, "min_tiles 12"],
    [{ tile_size: 500 }, "tile_size 500"],
    [{ max_pixels_tolerance: "2" }, "max_pixels_tolerance"],
    [{ image_processor_type: "SiglipImageProcessor" }, "not known"],
  ])("refuses %j by name", (config, message) => {
    expect(() => parse(config)).toThrow(message);
  });

  it("takes null for nothing said, and one tile at most for no splitting", () => {
    expect(parse({ image_mean: null, tile_size: null })).toEqual(published);
    expect(parse({ min_tiles: 1, max_tiles: 1 }).tiles).toBeUndefined();
  });
});

describe("lfm2ImageProcessor", () => {
  it("gives patches of a token one after the other, pixel by pixel, tiles before the image as a whole", () => {
    const options = parseLfm2ImageConfig(
      { encoder_patch_size: 1, tile_size: 4, max_image_tokens: 1, min_image_tokens: 1, resample: 0, image_std: 1 },
      { patchSize: 1, merge: 2 },
      "folder",
    );
    const data = Uint8Array.from({ length: 4 * 8 * 3 }, (_, at) => at);
    const { pixelValues } = lfm2ImageProcessor(options).process({ width: 8, height: 4, data });
    const bytes = [...pixelValues!].map((value) => Math.round((value + 0.5) * 255));
    expect(bytes.slice(0, 12)).toEqual([0, 1, 2, 3, 4, 5, 24, 25, 26, 27, 28, 29]);
    expect(bytes.slice(48, 54)).toEqual([12, 13, 14, 15, 16, 17]);
    expect(bytes).toHaveLength(3 * (2 * 16 + 4));
  });
});
