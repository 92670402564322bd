import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { float32ToBfloat16, openSafetensors, writeAtomically, writeSafetensors } from "./index.js";

/** The largest float32 that does not round to infinity. */
const LARGEST = Math.fround(3.39e38);
const FITS_BFLOAT16 = { min: -LARGEST, max: LARGEST, noNaN: true, noDefaultInfinity: true } as const;

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "thaw-safetensors-"));
  path = join(folder, "model.safetensors");
});
afterEach(() => rm(folder, { recursive: true }));

describe("writing", () => {
  it("pads the header to 8 bytes, says format pt, and replaces the old file", async () => {
    await writeFile(path, "old");
    await writeSafetensors(path, [{ name: "weight", dtype: "F32", shape: [2] }], () => Float32Array.of(1, 2));
    const bytes = await readFile(path);
    const length = Number(bytes.readBigUInt64LE(0));
    expect(length % 8).toBe(0);
    expect(JSON.parse(bytes.toString("utf8", 8, 8 + length))).toEqual({
      __metadata__: { format: "pt" },
      weight: { dtype: "F32", shape: [2], data_offsets: [0, 8] },
    });
    expect(bytes.length).toBe(16 + length);
    expect(await readdir(folder)).toEqual(["model.safetensors"]);
  });

  it("takes names that mean something to JavaScript", async () => {
    const names = ["__proto__", "constructor", "0"];
    await writeSafetensors(
      path,
      names.map((name) => ({ name, dtype: "F32", shape: [1] })),
      () => Float32Array.of(3),
    );
    const reader = await openSafetensors(path);
    expect([...reader.entries.keys()].toSorted()).toEqual(names.toSorted());
    await reader.close();
  });

  it("takes a view into a larger buffer", async () => {
    await writeSafetensors(path, [{ name: "a", dtype: "F32", shape: [2] }], () =>
      Float32Array.of(9, 1, 2, 9).subarray(1, 3),
    );
    const reader = await openSafetensors(path);
    expect([...(await reader.readFloat32("a"))]).toEqual([1, 2]);
    await reader.close();
  });

  it.each([
    [
      "a name given twice",
      [
        { name: "a", dtype: "F32", shape: [1] },
        { name: "a", dtype: "F32", shape: [1] },
      ],
      new Float32Array(1),
    ],
    ["the reserved name", [{ name: "__metadata__", dtype: "F32", shape: [1] }], new Float32Array(1)],
    ["too few values", [{ name: "a", dtype: "F32", shape: [2] }], new Float32Array(1)],
    ["too many values", [{ name: "a", dtype: "BF16", shape: [2] }], new Float32Array(3)],
    ["float32 for an integer dtype", [{ name: "a", dtype: "I32", shape: [1] }], new Float32Array(1)],
  ] as const)("refuses %s and leaves nothing", async (_, tensors, values) => {
    await expect(writeSafetensors(path, tensors, () => values)).rejects.toMatchObject({
      code: "THAW_SAFETENSORS_BAD_VALUES",
    });
    expect(await readdir(folder)).toEqual([]);
  });

  it("leaves the old file and no other where values fail half-way", async () => {
    await writeFile(path, "old");
    const tensors = ["a", "b"].map((name) => ({ name, dtype: "F32", shape: [1] }) as const);
    const failing = writeSafetensors(path, tensors, (name) => {
      if (name === "b") throw new Error("the weights are gone");
      return new Float32Array(1);
    });
    await expect(failing).rejects.toThrow("the weights are gone");
    expect(await readdir(folder)).toEqual(["model.safetensors"]);
    expect(await readFile(path, "utf8")).toBe("old");
  });

  it.each([
    ["NaN", "F32", [1, 2, 3, 4, Number.NaN], 4],
    ["infinity", "F32", [0, Infinity], 1],
    ["negative infinity", "BF16", [-Infinity, 0], 0],
    ["what becomes infinite in bfloat16", "BF16", [0, 0, 3.4e38], 2],
  ] as const)("refuses %s, names the tensor and leaves nothing", async (_, dtype, values, index) => {
    const writing = writeSafetensors(path, [{ name: "a", dtype, shape: [values.length] }], () =>
      Float32Array.from(values),
    );
    await expect(writing).rejects.toMatchObject({
      code: "THAW_SAFETENSORS_NOT_FINITE",
      details: { name: "a", index, value: Math.fround(values[index]!), file: path },
    });
    expect(await readdir(folder)).toEqual([]);
  });

  it("says that the disk is full, and leaves nothing", async () => {
    const full = Object.assign(new Error("ENOSPC: no space left on device, write"), {
      code: "ENOSPC",
      syscall: "write",
    });
    await expect(writeAtomically(path, () => Promise.reject(full))).rejects.toMatchObject({
      code: "THAW_SAFETENSORS_UNWRITABLE",
      details: { file: path },
    });
    expect(await readdir(folder)).toEqual([]);
  });

  it("says that a folder is missing, or that a folder is in the way", async () => {
    const write = (target: string): Promise<unknown> => writeSafetensors(target, [], () => new Float32Array(0));
    await expect(write(join(folder, "none", "model.safetensors"))).rejects.toMatchObject({
      code: "THAW_SAFETENSORS_UNWRITABLE",
    });
    await mkdir(path);
    await expect(write(path)).rejects.toMatchObject({ code: "THAW_SAFETENSORS_UNWRITABLE" });
    expect(await readdir(folder)).toEqual(["model.safetensors"]);
  });
});

describe("bfloat16", () => {
  it("rounds to nearest, ties to even, and keeps NaN and infinity", () => {
    const bits = (words: readonly number[]): readonly number[] => [
      ...float32ToBfloat16(new Float32Array(Uint32Array.from(words).buffer)),
    ];
    expect(bits([0x3f800000, 0x3f808000, 0x3f818000, 0x3f808001, 0x3f807fff])).toEqual([
      0x3f80, 0x3f80, 0x3f82, 0x3f81, 0x3f80,
    ]);
    expect(bits([0x7f800000, 0xff800000, 0x7f7fffff])).toEqual([0x7f80, 0xff80, 0x7f80]);
    expect(bits([0x7f800001, 0xffc00000]).map((word) => (word & 0x7f80) === 0x7f80 && (word & 0x7f) !== 0)).toEqual([
      true,
      true,
    ]);
  });

  it("is within half a step, and exact the second time", async () => {
    await fc.assert(
      fc.asyncProperty(fc.float32Array({ minLength: 1, maxLength: 50, ...FITS_BFLOAT16 }), async (values) => {
        await writeSafetensors(path, [{ name: "a", dtype: "BF16", shape: [values.length] }], () => values);
        const reader = await openSafetensors(path);
        const rounded = await reader.readFloat32("a");
        await reader.close();
        expect(float32ToBfloat16(rounded)).toEqual(float32ToBfloat16(values));
        for (const [index, value] of values.entries()) {
          expect(Math.abs(rounded[index]! - value)).toBeLessThanOrEqual(Math.max(Math.abs(value) * 2 ** -8, 2 ** -134));
        }
      }),
    );
  });
});
