import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { survey } from "../batches/survey.js";
import { sampleList } from "../formats/sample-sets.js";
import { openRecords } from "../records/records.js";
import { padToSquare } from "./crop.js";
import { decodeRgb, encodePng, rasterizeSvg, readImageSize } from "./decode.js";
import { pilResize } from "./pil-resize.js";

const folder = mkdtempSync(join(tmpdir(), "thaw-bombs-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A PNG that claims a size, of which nothing but the header is there. */
function claims(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", Buffer.alloc(0)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

describe("images that claim too much", () => {
  it.each([
    [16_000, 16_000],
    [30_000, 30_000],
    [1_000_000, 1_000],
  ])("are refused by their header: %i x %i", async (width, height) => {
    const bomb = claims(width, height);
    const message = `it has ${width} x ${height} pixels, and at most`;
    await expect(decodeRgb(bomb, { exif: true })).rejects.toThrow(message);
    await expect(readImageSize(bomb, { exif: true })).rejects.toThrow(message);
  });

  it("are refused where a narrow one would grow", () => {
    const narrow = { width: 1, height: 60_000, data: new Uint8Array(180_000) };
    expect(() => pilResize(narrow, { width: 48, height: 2_880_000 }, "bicubic")).toThrow(/1 x 60000.*too narrow/);
    expect(() => padToSquare(narrow, [0, 0, 0])).toThrow(/1 x 60000.*too narrow/);
  });
});

it("an SVG reaches no file, by link, entity or style", async () => {
  const red = await encodePng({
    width: 8,
    height: 8,
    data: new Uint8Array(192).map((_, at) => (at % 3 === 0 ? 255 : 0)),
  });
  const file = join(folder, "red.png");
  writeFileSync(file, red);
  const svg =
    `<!DOCTYPE svg [<!ENTITY x SYSTEM "file://${file}">]>` +
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 8 8">' +
    `<image width="8" height="8" href="file://${file}"/><image width="8" height="8" xlink:href="${file}"/>` +
    `<style>rect { fill: url("file://${file}") }</style><rect width="0" height="0"/></svg>`;
  const drawn = await rasterizeSvg(svg, { width: 8, height: 8 }, "#ffffff").then(
    ({ data }) => [...data],
    () => [255],
  );
  expect(drawn.every((value) => value === 255)).toBe(true);
});

describe.skipIf(process.platform === "win32")("pipes, devices and folders", () => {
  it("are not images and no data", async () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    for (const path of [pipe, "/dev/zero", folder]) {
      const media = [{ modality: "image", source: { kind: "file", path } }];
      const sample = { origin: "a.jsonl:1", media, messages: [] };
      await expect(
        survey(sampleList([sample as never], "a"), {
          isWhole: true,
          mediaTokens: new Map(),
          problems: new Map(),
          skips: false,
        }),
      ).rejects.toMatchObject({ code: "THAW_DATA_IMAGE_BROKEN" });
      await expect(openRecords(path)).rejects.toMatchObject({ code: "THAW_DATA_FILE_UNREADABLE" });
    }
  });
});
