import { describe, expect, it } from "vitest";
import { gemma4BlockProcessor, gemma4Grid, gemma4ImageProcessor, parseGemma4ImageConfig } from "./gemma4.js";

const published = parseGemma4ImageConfig({}, { patchSize: 16, merge: 3 }, "folder");

describe("gemma4Grid", () => {
  // Height and width, then patch rows and columns by transformers 5.24, get_aspect_ratio_preserving_size.
  it.each<[number, number, readonly [number, number]]>([
    [768, 1024, [42, 57]],
    [1024, 768, [57, 42]],
    [16, 16, [48, 48]],
    [100, 3000, [9, 273]],
    [2, 3000, [3, 840]],
    [3000, 5, [840, 3]],
    [300, 1, [840, 3]],
  ])("of %i x %i pixels is that of transformers", (height, width, grid) => {
    expect(gemma4Grid({ height, width }, published)).toEqual(grid);
  });
});

describe("parseGemma4ImageConfig", () => {
  it.each([
    [{ patch_size: 14 }, "patch_size 14"],
    [{ pooling_kernel_size: 2 }, "pooling_kernel_size 2"],
    [{ max_soft_tokens: 0 }, "max_soft_tokens 0"],
    [{ do_resize: false }, "do_resize"],
    [{ image_processor_type: "SiglipImageProcessor" }, "not known"],
  ])("refuses %j by name", (config, message) => {
    expect(() => parseGemma4ImageConfig(config, { patchSize: 16, merge: 3 }, "folder")).toThrow(message);
  });
});

describe("the image processors of Gemma 4", () => {
  const options = parseGemma4ImageConfig(
    { patch_size: 1, pooling_kernel_size: 2, max_soft_tokens: 2, resample: 0 },
    { patchSize: 1, merge: 2 },
    "folder",
  );
  const image = { width: 4, height: 2, data: Uint8Array.from({ length: 24 }, (_, at) => at) };
  const bytes = ({ pixelValues }: Readonly<Record<string, Float32Array>>): number[] =>
    [...pixelValues!].map((value) => Math.round(value * 255));
  const blocks = [0, 1, 2, 3, 4, 5, 12, 13, 14, 15, 16, 17, 6, 7, 8, 9, 10, 11, 18, 19, 20, 21, 22, 23];

  it("give patches, those of a block one after the other", () => {
    expect(bytes(gemma4ImageProcessor(options).process(image))).toEqual(blocks);
  });

  it("give blocks, pixel row by pixel row", () => {
    expect(bytes(gemma4BlockProcessor(options).process(image))).toEqual(blocks);
  });
});
