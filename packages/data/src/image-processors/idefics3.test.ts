import { describe, expect, it } from "vitest";
import { idefics3Grid, idefics3ImageProcessor, parseIdefics3ImageConfig } from "./idefics3.js";

const parse = (file: Readonly<Record<string, unknown>>) => parseIdefics3ImageConfig(file, "here");

describe("the grid of tiles", () => {
  // Sizes, rows and columns of transformers 5.24, `Idefics3ImageProcessorPil`: `resize`, then `split_images`.
  it.each([
    [44, 50, 56, 28, 2, 2],
    [26, 60, 56, 28, 1, 2],
    [100, 37, 84, 28, 3, 2],
    [1, 400, 56, 28, 1, 2],
    [29, 29, 29, 14, 3, 3],
    [3000, 9000, 5000, 364, 4, 12],
    [20, 20, 28, 28, 0, 0],
  ])(
    "of %i x %i pixels, longest edge %i and tiles of %i, is %i x %i",
    (height, width, longest, tile, rows, columns) => {
      const options = parse({ size: { longest_edge: longest }, max_image_size: { longest_edge: tile } });
      expect(idefics3Grid({ height, width }, options)).toEqual({ rows, columns });
    },
  );

  it("is none where images are not split", () => {
    const options = parse({ do_image_splitting: false });
    expect(idefics3Grid({ height: 3000, width: 9000 }, options)).toEqual({ rows: 0, columns: 0 });
  });
});

it("puts tiles before the whole image, each cut into the patches of one token after the other", () => {
  const options = parse({ size: { height: 4, width: 8 }, max_image_size: { longest_edge: 4 }, do_normalize: false });
  const data = Uint8Array.from({ length: 4 * 8 * 3 }, (_, at) => (Math.floor(at / 3) % 8 < 4 ? 0 : 255));
  const { pixelValues } = idefics3ImageProcessor({ ...options, patchSize: 2, merge: 2 }).process({
    width: 8,
    height: 4,
    data,
  });
  const patches = Array.from({ length: 12 }, (_, patch) => pixelValues!.subarray(patch * 12, (patch + 1) * 12));
  expect(patches.slice(0, 8).map((patch) => [...new Set(patch)])).toEqual([
    ...Array.from({ length: 4 }, () => [0]),
    ...Array.from({ length: 4 }, () => [1]),
  ]);
  expect(patches[8]![0]).toBe(0);
  expect(patches[11]!.at(-1)).toBe(1);
});

describe("the config of an image processor", () => {
  it.each([
    ["another class", { image_processor_type: "CLIPImageProcessor" }, "CLIPImageProcessor"],
    ["tiles without a side", { max_image_size: { height: 3 } }, "max_image_size"],
    ["a size of another kind", { size: { shortest_edge: 3 } }, "size"],
  ])("refuses %s by name", (_, file, named) => {
    expect(() => parse(file)).toThrow(
      expect.objectContaining({ code: "THAW_DATA_PROCESSOR", message: expect.stringContaining(named) }),
    );
  });

  it("reads Idefics3's and SmolVLM's, Fast or not", () => {
    for (const type of ["Idefics3ImageProcessorFast", "SmolVLMImageProcessor"])
      expect(parse({ image_processor_type: type })).toMatchObject({ tile: 364, isSplit: true, resample: "lanczos" });
  });
});
