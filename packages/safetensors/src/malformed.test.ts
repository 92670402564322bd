import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSafetensors } from "./index.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "thaw-safetensors-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** A file of the given header (text, bytes or an object) and data; `claimed` replaces the length field. */
function fileBytes(header: unknown, dataBytes: number, claimed?: bigint): Uint8Array {
  const body =
    header instanceof Uint8Array
      ? header
      : new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + body.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, claimed ?? BigInt(body.length), true);
  bytes.set(body, 8);
  return bytes;
}

const tensor = (dtype: unknown, shape: unknown, offsets: unknown): unknown => ({ dtype, shape, data_offsets: offsets });

const valid: readonly (readonly [string, Uint8Array])[] = [
  ["no tensor", fileBytes("{}", 0)],
  ["metadata alone", fileBytes({ __metadata__: { format: "pt" } }, 0)],
  ["a header padded with spaces", fileBytes(`${JSON.stringify({ a: tensor("F32", [1], [0, 4]) })}      `, 4)],
  ["a scalar", fileBytes({ a: tensor("F64", [], [0, 8]) }, 8)],
  [
    "tensors without elements anywhere",
    fileBytes({ a: tensor("F32", [0, 3], [4, 4]), b: tensor("F32", [1], [0, 4]), c: tensor("U8", [0], [0, 0]) }, 4),
  ],
  [
    "entries in another order than the data",
    fileBytes({ a: tensor("U8", [2], [3, 5]), b: tensor("U8", [3], [0, 3]) }, 5),
  ],
  [
    "names with quotes, braces and colons",
    fileBytes({ 'a"}{:': tensor("U8", [1], [0, 1]), 'a"': tensor("U8", [1], [1, 2]) }, 2),
  ],
];

const invalid: readonly (readonly [string, Uint8Array, string])[] = [
  ["an empty file", new Uint8Array(0), "too-short"],
  ["a length field cut off", new Uint8Array(7), "too-short"],
  ["a header of no length", fileBytes("", 0), "header-too-short"],
  ["a header length past the end", fileBytes("{}", 0, 3n), "header-past-end"],
  ["a header length over the limit", fileBytes("{}", 0, 100_000_001n), "header-too-long"],
  ["a header length of 64 set bits", fileBytes("{}", 0, 2n ** 64n - 1n), "header-too-long"],
  ["a header that is not UTF-8", fileBytes(Uint8Array.of(0x7b, 0xff, 0x7d), 0), "header-not-utf8"],
  ["a header that is not JSON", fileBytes("{]", 0), "header-not-json"],
  ["a header with a trailing comma", fileBytes('{"a":1,}', 0), "header-not-json"],
  ["an array for a header", fileBytes("[]", 0), "header-not-object"],
  ["null for a header", fileBytes("null", 0), "header-not-object"],
  ["a header that starts with a space", fileBytes(" {}", 0), "header-not-object"],
  [
    "a name given twice",
    fileBytes(
      '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
      1,
    ),
    "duplicate-name",
  ],
  [
    "a name given twice in another spelling",
    fileBytes(
      '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
      1,
    ),
    "duplicate-name",
  ],
  [
    "a field given twice in an entry",
    fileBytes('{"a":{"dtype":"F32","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1),
    "duplicate-name",
  ],
  ["a string of 20 MB", fileBytes(`{"a":"${"x".repeat(20_000_000)}"}`, 0), "entry-not-object"],
  ["lists 100,000 deep", fileBytes(`{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`, 0), "header-not-json"],
  ["metadata that is not a map", fileBytes({ __metadata__: [] }, 0), "metadata"],
  ["metadata with a number", fileBytes({ __metadata__: { step: 3 } }, 0), "metadata"],
  ["an entry that is not an object", fileBytes({ a: 3 }, 0), "entry-not-object"],
  ["a dtype that is unknown", fileBytes({ a: tensor("F31", [1], [0, 4]) }, 4), "unknown-dtype"],
  ["a dtype named like an inherited property", fileBytes({ a: tensor("toString", [1], [0, 4]) }, 4), "unknown-dtype"],
  ["no dtype", fileBytes({ a: { shape: [1], data_offsets: [0, 4] } }, 4), "unknown-dtype"],
  ["a shape that is not a list", fileBytes({ a: tensor("F32", 1, [0, 4]) }, 4), "bad-shape"],
  ["a negative size", fileBytes({ a: tensor("F32", [-1], [0, 4]) }, 4), "bad-shape"],
  ["a size that is not an integer", fileBytes({ a: tensor("F32", [1.5], [0, 6]) }, 6), "bad-shape"],
  [
    "a shape whose product is not an exact number",
    fileBytes({ a: tensor("F32", [2 ** 30, 2 ** 30], [0, 4]) }, 4),
    "bad-shape",
  ],
  ["offsets that are not a pair", fileBytes({ a: tensor("F32", [1], [0]) }, 4), "bad-offsets"],
  ["negative offsets", fileBytes({ a: tensor("F32", [1], [-4, 0]) }, 4), "bad-offsets"],
  ["no offsets", fileBytes({ a: { dtype: "F32", shape: [1] } }, 4), "bad-offsets"],
  ["offsets the wrong way round", fileBytes({ a: tensor("F32", [1], [4, 0]) }, 4), "bad-offsets"],
  ["offsets that do not fit the shape", fileBytes({ a: tensor("F32", [2], [0, 4]) }, 4), "size-mismatch"],
  ["data cut off", fileBytes({ a: tensor("F32", [2], [0, 8]) }, 7), "past-end"],
  ["tensors that overlap", fileBytes({ a: tensor("F32", [1], [0, 4]), b: tensor("F32", [1], [2, 6]) }, 6), "overlap"],
  [
    "the same bytes for two tensors",
    fileBytes({ a: tensor("F32", [1], [0, 4]), b: tensor("F32", [1], [0, 4]) }, 4),
    "overlap",
  ],
  ["a gap before the first tensor", fileBytes({ a: tensor("F32", [1], [4, 8]) }, 8), "gap"],
  ["a gap between tensors", fileBytes({ a: tensor("U8", [1], [0, 1]), b: tensor("U8", [1], [2, 3]) }, 3), "gap"],
  ["bytes after the last tensor", fileBytes({ a: tensor("U8", [1], [0, 1]) }, 2), "trailing-bytes"],
  ["bytes after no tensor", fileBytes("{}", 1), "trailing-bytes"],
];

describe("valid files open", () => {
  it.each(valid)("%s", async (_, bytes) => {
    const path = join(folder, "valid.safetensors");
    await writeFile(path, bytes);
    const reader = await openSafetensors(path);
    await reader.close();
  });
});

describe("malformed files are refused with the rule that they break", () => {
  it.each(invalid)("%s", async (_, bytes, reason) => {
    const path = join(folder, "invalid.safetensors");
    await writeFile(path, bytes);
    await expect(openSafetensors(path)).rejects.toMatchObject({
      code: "THAW_SAFETENSORS_MALFORMED",
      details: { reason, file: path },
    });
  });
});
