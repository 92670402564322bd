import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  openSafetensors,
  writeSafetensors,
  type SafetensorsReader,
  type TensorDeclaration,
  type TensorValues,
} from "./index.js";

let folder: string;
let reader: SafetensorsReader;

const stored: Readonly<
  Record<string, { readonly declaration: Omit<TensorDeclaration, "name">; readonly values: TensorValues }>
> = {
  // As bytes: values that are not finite are not written
  f32: {
    declaration: { dtype: "F32", shape: [2, 3] },
    values: new Uint8Array(Float32Array.of(1, -2, 3.5, 0, Infinity, -1e-40).buffer),
  },
  f64: { declaration: { dtype: "F64", shape: [2] }, values: Float64Array.of(0.1, -1e300) },
  // 1, -2, largest, smallest normal, smallest subnormal, largest subnormal, infinity, -0
  f16: {
    declaration: { dtype: "F16", shape: [8] },
    values: Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x03ff, 0x7c00, 0x8000),
  },
  bf16: { declaration: { dtype: "BF16", shape: [4] }, values: Uint16Array.of(0x3f80, 0xc000, 0x7f80, 0x8000) },
  i64: { declaration: { dtype: "I64", shape: [3] }, values: BigInt64Array.of(-1n, 0n, 2_147_483_647n) },
  large: { declaration: { dtype: "I64", shape: [1] }, values: BigInt64Array.of(2n ** 31n) },
  i32: { declaration: { dtype: "I32", shape: [2] }, values: Int32Array.of(-5, 7) },
  i16: { declaration: { dtype: "I16", shape: [2] }, values: Uint16Array.of(0xffff, 3) },
  u16: { declaration: { dtype: "U16", shape: [2] }, values: Uint16Array.of(0xffff, 3) },
  i8: { declaration: { dtype: "I8", shape: [2] }, values: Uint8Array.of(255, 1) },
  u8: { declaration: { dtype: "U8", shape: [2] }, values: Uint8Array.of(255, 1) },
  bool: { declaration: { dtype: "BOOL", shape: [2] }, values: Uint8Array.of(0, 1) },
  empty: { declaration: { dtype: "F32", shape: [0, 4] }, values: new Float32Array(0) },
  scalar: { declaration: { dtype: "F32", shape: [] }, values: Float32Array.of(42) },
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "thaw-safetensors-"));
  const declarations = Object.entries(stored).map(([name, { declaration }]) => ({ name, ...declaration }));
  await writeSafetensors(join(folder, "all.safetensors"), declarations, (name) => stored[name]!.values, {
    note: "hello",
  });
  reader = await openSafetensors(join(folder, "all.safetensors"));
});
afterAll(async () => {
  await reader.close();
  await rm(folder, { recursive: true });
});

describe("reading", () => {
  it("knows names, shapes, dtypes and metadata from the header", () => {
    expect(reader.entry("f32")).toMatchObject({ dtype: "F32", shape: [2, 3] });
    expect([...reader.entries.keys()]).toEqual(Object.keys(stored));
    expect(reader.metadata).toEqual({ note: "hello" });
  });

  it.each([
    ["f32", [1, -2, 3.5, 0, Infinity, Math.fround(-1e-40)]],
    ["f64", [Math.fround(0.1), -Infinity]],
    ["f16", [1, -2, 65504, 2 ** -14, 2 ** -24, 1023 * 2 ** -24, Infinity, -0]],
    ["bf16", [1, -2, Infinity, -0]],
    ["empty", []],
    ["scalar", [42]],
  ])("gives %s as float32", async (name, wanted) => {
    expect([...(await reader.readFloat32(name))]).toEqual(wanted);
  });

  it.each([
    ["i64", [-1, 0, 2_147_483_647]],
    ["i32", [-5, 7]],
    ["i16", [-1, 3]],
    ["u16", [65535, 3]],
    ["i8", [-1, 1]],
    ["u8", [255, 1]],
    ["bool", [0, 1]],
  ])("gives %s as int32", async (name, wanted) => {
    expect([...(await reader.readInt32(name))]).toEqual(wanted);
  });

  it("keeps NaN of a half a NaN", async () => {
    const path = join(folder, "nan.safetensors");
    await writeSafetensors(path, [{ name: "a", dtype: "F16", shape: [2] }], () => Uint16Array.of(0x7e00, 0xfc01));
    const file = await openSafetensors(path);
    expect([...(await file.readFloat32("a"))]).toEqual([NaN, NaN]);
    await file.close();
  });

  it.each(["f32", "f16", "bf16", "f64"])("reads a range of %s", async (name) => {
    const whole = await reader.readFloat32(name);
    expect(await reader.readFloat32(name, { start: 1, count: 1 })).toEqual(whole.subarray(1, 2));
    expect(await reader.readFloat32(name, { start: whole.length, count: 0 })).toEqual(new Float32Array(0));
  });

  it("reads ranges of integers and bytes", async () => {
    expect([...(await reader.readInt32("i64", { start: 2, count: 1 }))]).toEqual([2_147_483_647]);
    expect([...(await reader.readBytes("i32", { start: 1, count: 1 }))]).toEqual([7, 0, 0, 0]);
  });

  it("serves several reads at once", async () => {
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, index) => reader.readFloat32("f16", { start: index % 8, count: 1 })),
    );
    const whole = await reader.readFloat32("f16");
    expect(all.map((values) => values[0])).toEqual(Array.from({ length: 20 }, (_, index) => whole[index % 8]));
  });

  it.each([
    { start: -1, count: 1 },
    { start: 5, count: 2 },
    { start: 0, count: -1 },
    { start: 0.5, count: 1 },
    { start: NaN, count: 1 },
  ])("refuses the range %o", async (range) => {
    await expect(reader.readFloat32("f32", range)).rejects.toMatchObject({ code: "THAW_SAFETENSORS_OUT_OF_RANGE" });
  });

  it("refuses what does not fit", async () => {
    await expect(reader.readInt32("large")).rejects.toMatchObject({ code: "THAW_SAFETENSORS_OUT_OF_RANGE" });
    await expect(reader.readFloat32("i32")).rejects.toMatchObject({ code: "THAW_SAFETENSORS_NOT_CONVERTIBLE" });
    await expect(reader.readInt32("f32")).rejects.toMatchObject({ code: "THAW_SAFETENSORS_NOT_CONVERTIBLE" });
  });

  it("names the nearest tensors to one that is not there", async () => {
    await expect(reader.readFloat32("scalr")).rejects.toMatchObject({
      code: "THAW_SAFETENSORS_UNKNOWN_TENSOR",
      message: expect.stringContaining("scalar") as string,
    });
  });

  it("says when a file shrank after it was opened", async () => {
    const path = join(folder, "shrinking.safetensors");
    await writeSafetensors(path, [{ name: "a", dtype: "F32", shape: [4] }], () => new Float32Array(4));
    const file = await openSafetensors(path);
    await truncate(path, 20);
    await expect(file.readFloat32("a")).rejects.toMatchObject({ code: "THAW_SAFETENSORS_UNREADABLE" });
    await file.close();
  });

  it("says that a path does not exist or is something else", async () => {
    await expect(openSafetensors(join(folder, "none"))).rejects.toMatchObject({ code: "THAW_SAFETENSORS_UNREADABLE" });
    await expect(openSafetensors(folder)).rejects.toMatchObject({ code: "THAW_SAFETENSORS_NOT_FOUND" });
    await writeFile(join(folder, "text.safetensors"), "hello, this is not a checkpoint");
    await expect(openSafetensors(join(folder, "text.safetensors"))).rejects.toMatchObject({
      code: "THAW_SAFETENSORS_MALFORMED",
    });
  });
});
