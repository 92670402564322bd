import { describe, expect, it } from "vitest";
import { bestPinpoint, parseAnyresImageConfig } from "./anyres.js";

const NEXT = {
  image_processor_type: "LlavaNextImageProcessor",
  size: { shortest_edge: 28 },
  crop_size: { height: 28, width: 28 },
  image_grid_pinpoints: [
    [28, 56],
    [56, 28],
  ],
};

describe("the config of an image processor with tiles", () => {
  it("has the defaults of its class, which null replaces", () => {
    const next = parseAnyresImageConfig(
      { image_processor_type: "LlavaNextImageProcessorFast", image_grid_pinpoints: [[224, 448]] },
      "x",
      "here",
    );
    expect(next).toMatchObject({ tile: 224, resize: { shortestEdge: 224 }, crop: { height: 224, width: 224 } });
    const onevision = parseAnyresImageConfig({}, "LlavaOnevisionImageProcessor", "here");
    expect(onevision).toMatchObject({ tile: 384, resize: { height: 384, width: 384 }, crop: null });
    expect(onevision.pinpoints).toHaveLength(36);
    const size = { height: 28, width: 28 };
    const uncropped = parseAnyresImageConfig({ ...NEXT, size, crop_size: null, do_center_crop: false }, "x", "here");
    expect(uncropped).toMatchObject({ tile: 28, crop: null, size });
  });

  it.each([
    ["another class", { image_processor_type: "CLIPImageProcessor" }, "CLIPImageProcessor"],
    ["no size", { size: { longest_edge: 3 } }, "size"],
    ["pinpoints that are not sizes", { image_grid_pinpoints: [[28]] }, "image_grid_pinpoints"],
    ["pinpoints that are not whole tiles", { image_grid_pinpoints: [[28, 40]] }, "[28, 40]"],
    ["tiles and an overview of two sizes", { do_resize: false, do_center_crop: false, size: 56 }, "overview of 56x56"],
  ])("refuses %s by name", (_, change, named) => {
    expect(() => parseAnyresImageConfig({ ...NEXT, ...change }, "x", "here")).toThrow(
      expect.objectContaining({ code: "THAW_DATA_PROCESSOR", message: expect.stringContaining(named) }),
    );
  });
});

describe("the best pinpoint", () => {
  const pinpoints = [
    { height: 28, width: 56 },
    { height: 56, width: 28 },
    { height: 56, width: 56 },
  ];

  it("keeps most pixels, and of those wastes fewest", () => {
    expect(bestPinpoint({ width: 50, height: 44 }, pinpoints)).toBe(pinpoints[2]);
    expect(bestPinpoint({ width: 60, height: 26 }, pinpoints)).toBe(pinpoints[0]);
    expect(bestPinpoint({ width: 20, height: 20 }, pinpoints)).toBe(pinpoints[0]);
  });

  it("is none of an image too narrow for a pixel", () => {
    expect(() => bestPinpoint({ width: 1, height: 4000 }, pinpoints)).toThrow("too narrow");
  });
});
