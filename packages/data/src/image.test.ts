import type { ImageReference } from "@thaw/contracts";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseClipImageConfig } from "./images/clip-image-config.js";
import { clipImageProcessor } from "./images/clip-image-processor.js";
import { decodeRgb, readImageSize } from "./images/decode.js";
import { pilResize } from "./images/pil-resize.js";
import { RESAMPLE_NAMES } from "./images/resample-filters.js";
import { thumbnail } from "./images/thumbnail.js";

interface Fixtures {
  readonly decoded: Readonly<
    Record<string, { size: [number, number]; rgb: string; uprightSize: [number, number]; upright: string }>
  >;
  readonly resized: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly processed: readonly { config: Record<string, unknown>; shape: number[]; sha256: string }[];
}

const folder = new URL("../fixtures/", import.meta.url);
const fixtures = JSON.parse(readFileSync(new URL("images.json", folder), "utf8")) as Fixtures;
const bytes = (name: string): Buffer => readFileSync(new URL(`images/${name}`, folder));
const sha = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");

describe("decodeRgb", () => {
  it.each(Object.entries(fixtures.decoded))(
    "decodes %s to the bytes of Pillow's convert('RGB')",
    async (name, expected) => {
      const plain = await decodeRgb(bytes(name), { exif: false });
      expect([plain.width, plain.height]).toEqual(expected.size);
      expect(sha(plain.data)).toBe(expected.rgb);
      const upright = await decodeRgb(bytes(name), { exif: true });
      expect([upright.width, upright.height]).toEqual(expected.uprightSize);
      expect(sha(upright.data)).toBe(expected.upright);
      expect(Object.values(await readImageSize(bytes(name), { exif: true }))).toEqual(expected.uprightSize);
    },
  );

  it("takes the high byte of 16-bit grey with alpha, which Pillow opens as 8 bits", async () => {
    const { default: sharp } = await import("sharp");
    const pixels = new Uint16Array([0, 65_535, 20_000, 65_535, 65_535, 65_535, 300, 0]);
    const image = sharp(pixels, { raw: { width: 4, height: 1, channels: 2 } }).toColourspace("grey16");
    const { data } = await decodeRgb(await image.png().toBuffer(), { exif: false });
    expect([...data].filter((_, index) => index % 3 === 0)).toEqual([0, 78, 255, 1]);
  });

  it("refuses a truncated file", async () => {
    await expect(decodeRgb(bytes("truncated.jpg"), { exif: true })).rejects.toThrow();
  });
});

describe("pilResize", () => {
  it.each(RESAMPLE_NAMES)("equals Pillow bit for bit with the filter %s", async (name) => {
    const image = await decodeRgb(bytes("rgb.png"), { exif: false });
    for (const [size, expected] of Object.entries(fixtures.resized[name]!)) {
      const [width, height] = size.split("x").map(Number) as [number, number];
      expect({ size, sha256: sha(pilResize(image, { width, height }, name).data) }).toEqual({ size, sha256: expected });
    }
  });
});

describe("clipImageProcessor", () => {
  it.each(fixtures.processed.map((entry, index) => [index, entry] as const))(
    "equals transformers bit for bit in case %i",
    async (_, { config, shape, sha256 }) => {
      const options = parseClipImageConfig(config, "fixture");
      expect([3, options.size.height, options.size.width]).toEqual(shape);
      // Patches of one pixel: [pixels, 3], where transformers has [3, pixels].
      const processor = clipImageProcessor({ ...options, patchSize: 1 });
      const { pixelValues } = processor.process(await decodeRgb(bytes("rgb.png"), { exif: false }));
      const count = pixelValues!.length / 3;
      const planes = pixelValues!.map((_, at) => pixelValues![(at % count) * 3 + Math.floor(at / count)]!);
      expect(sha(new Uint8Array(planes.buffer))).toBe(sha256);
    },
  );

  it.each([
    [{ image_processor_type: "Idefics3ImageProcessor" }, "not known"],
    [{ resample: 9 }, "resample"],
    [{ crop_size: "big" }, "crop_size"],
    [{ do_center_crop: false, size: { shortest_edge: 8 } }, "any shape"],
    [{ image_mean: [1, 2] }, "image_mean"],
    [{ do_pad: true }, "do_pad"],
  ])("refuses %j", (config, message) => {
    expect(() => parseClipImageConfig(config, "here")).toThrow(
      expect.objectContaining({ code: "THAW_DATA_PROCESSOR", message: expect.stringContaining(message) }),
    );
  });
});

describe("thumbnail", () => {
  it("is a PNG of any kind of image, upright, no larger than asked", async () => {
    const size = async (image: ImageReference): Promise<unknown> =>
      readImageSize(await thumbnail(image, 20), { exif: true });
    expect(await size({ kind: "bytes", bytes: bytes("turned.jpg") })).toEqual({ width: 20, height: 15 });
    expect(
      await size({
        kind: "svg",
        svg: '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 2 1"/>',
        background: "#ffffff",
      }),
    ).toEqual({ width: 20, height: 20 });
    await expect(thumbnail({ kind: "bytes", bytes: bytes("truncated.jpg") }, 20)).rejects.toMatchObject({
      code: "THAW_DATA_IMAGE_BROKEN",
    });
  });
});
