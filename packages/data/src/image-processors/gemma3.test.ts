import { describe, expect, it } from "vitest";
import { gemma3ImageProcessor, panAndScanParts, parseGemma3ImageConfig } from "./gemma3.js";

const PAN_AND_SCAN = {
  do_pan_and_scan: true,
  pan_and_scan_min_crop_size: 32,
  pan_and_scan_max_num_crops: 4,
  pan_and_scan_min_ratio_to_activate: 1.2,
};
const options = parseGemma3ImageConfig({ ...PAN_AND_SCAN, size: { height: 8, width: 8 } }, 4, "folder");

describe("panAndScanParts", () => {
  // Made with transformers 5.24, Gemma3ImageProcessorPil.pan_and_scan.
  it.each<[number, number, readonly (readonly [number, number])[]]>([
    [100, 100, []],
    [119, 100, []],
    [120, 100, Array(2).fill([60, 100])],
    [300, 100, Array(3).fill([100, 100])],
    [301, 77, [...Array<[number, number]>(3).fill([76, 77]), [73, 77]]],
    [77, 301, [...Array<[number, number]>(3).fill([77, 76]), [77, 73]]],
    [1000, 90, Array(4).fill([250, 90])],
    [
      513,
      256,
      [
        [257, 256],
        [256, 256],
      ],
    ],
    [
      250,
      100,
      [
        [84, 100],
        [84, 100],
        [82, 100],
      ],
    ],
    [90, 1003, [...Array<[number, number]>(3).fill([90, 251]), [90, 250]]],
  ])("cuts %i x %i pixels as transformers does", (width, height, wanted) => {
    const parts = panAndScanParts({ width, height }, options.panAndScan);
    expect(parts.map((part) => [part.width, part.height])).toEqual(wanted);
    expect(parts.reduce((total, part) => total + part.width * part.height, 0)).toBe(
      parts.length === 0 ? 0 : width * height,
    );
  });

  it("leaves a picture whole whose parts were too small, or that nobody wants cut", () => {
    expect(panAndScanParts({ width: 200, height: 100 }, { minCropSize: 101, maxCrops: 4, minRatio: 1.2 })).toEqual([]);
    expect(panAndScanParts({ width: 200, height: 100 }, undefined)).toEqual([]);
  });
});

describe("gemma3ImageProcessor", () => {
  it("makes patches of the picture, then of its parts", () => {
    const data = Uint8Array.from({ length: 64 * 32 * 3 }, (_, at) => (Math.floor(at / 3) % 64 < 32 ? 0 : 255));
    const { pixelValues } = gemma3ImageProcessor(options).process({ width: 64, height: 32, data });
    const perTile = 4 * 3 * 16;
    expect(pixelValues).toHaveLength(3 * perTile);
    expect([...pixelValues!.subarray(perTile, 2 * perTile)].every((value) => value === -1)).toBe(true);
    expect([...pixelValues!.subarray(2 * perTile)].every((value) => value === 1)).toBe(true);
  });
});

describe("parseGemma3ImageConfig", () => {
  it.each([
    [{ do_resize: false }, "fixed size"],
    [{ do_center_crop: true }, "fixed size"],
    [{ size: { shortest_edge: 8 } }, "fixed size"],
    [{ do_pan_and_scan: true }, "pan_and_scan_min_crop_size"],
    [{ image_processor_type: "CLIPImageProcessor" }, "not known"],
  ])("refuses %j", (file, message) => {
    expect(() => parseGemma3ImageConfig(file, 4, "folder")).toThrow(message);
  });
});
