import { mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  firstNotFinite,
  MANIFEST_FILE,
  openSafetensors,
  proofOf,
  proveFile,
  proveFolder,
  readManifest,
  readProven,
  writeManifest,
  writeSafetensors,
  type FileProof,
} from "./index.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "thaw-manifest-"));
});
afterEach(() => rm(folder, { recursive: true }));

const NAMES = ["decoder.a", "__proto__", "0"];
const path = (name: string): string => join(folder, name);

/** Two files of tensors and one of text, with their manifest. */
async function writeAll(): Promise<void> {
  const proofs: Record<string, FileProof> = {};
  for (const [index, file] of ["one.safetensors", "two.safetensors"].entries())
    proofs[file] = await writeSafetensors(
      path(file),
      NAMES.map((name) => ({ name, dtype: index === 0 ? "F32" : "BF16", shape: [3, 2] })),
      (name) => Float32Array.from({ length: 6 }, (_, at) => at + index + name.length),
      { format: "pt", manifest: MANIFEST_FILE },
    );
  const text = Buffer.from('{"step":3,"loss":0.25}\n');
  await writeFile(path("state.json"), text);
  proofs["state.json"] = proofOf(text);
  await writeManifest(folder, proofs);
}

/** Reads everything, as whoever goes on from these files does. */
async function readAll(): Promise<readonly unknown[]> {
  const manifest = await readManifest(folder);
  const read: unknown[] = [manifest, (await readProven(path("state.json"), manifest!)).toString("utf8")];
  for (const file of ["one.safetensors", "two.safetensors"]) {
    const reader = await openSafetensors(path(file));
    try {
      for (const name of NAMES) read.push(await reader.readFloat32(name));
    } finally {
      await reader.close();
    }
  }
  return read;
}

const damagedFile = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "",
    (error: { code: string; details: { file: string } }) => `${error.code} ${error.details.file}`,
  );

describe("a folder with a manifest", () => {
  it("reads whole, and by bytes of files that are not tensors", async () => {
    await writeAll();
    expect(await readAll()).toHaveLength(8);
    const manifest = (await readManifest(folder))!;
    await proveFile(path("state.json"), manifest);
    await proveFolder(folder);
    await expect(proveFile(path("other.json"), manifest)).rejects.toMatchObject({ code: "THAW_SAFETENSORS_DAMAGED" });
  });

  it("names the file whichever bit of it flips", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("one.safetensors", "two.safetensors", "state.json", MANIFEST_FILE),
        fc.nat(),
        fc.integer({ min: 0, max: 7 }),
        async (file, at, bit) => {
          await writeAll();
          const before = await readAll();
          const bytes = await readFile(path(file));
          bytes[at % bytes.length]! ^= 1 << bit;
          await writeFile(path(file), bytes);
          const whole = await damagedFile(proveFolder(folder));
          const result = await readAll().catch((error: { code: string; details: { file: string } }) => error);
          if (Array.isArray(result)) {
            // A blank of the manifest may become another blank
            expect(file).toBe(MANIFEST_FILE);
            expect(result).toEqual(before);
            expect(whole).toBe("");
          } else expect(result).toMatchObject({ code: "THAW_SAFETENSORS_DAMAGED", details: { file: path(file) } });
          if (!Array.isArray(result)) expect(whole).toBe(`THAW_SAFETENSORS_DAMAGED ${path(file)}`);
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each([
    ["is cut off", async (file: string) => writeFile(file, (await readFile(file)).subarray(0, -3))],
    ["has more bytes", async (file: string) => writeFile(file, Buffer.concat([await readFile(file), Buffer.alloc(2)]))],
    ["is all zeros", async (file: string) => writeFile(file, Buffer.alloc((await readFile(file)).length))],
    ["is empty", (file: string) => writeFile(file, "")],
  ])("names a file that %s", async (_, damage) => {
    for (const file of ["one.safetensors", "state.json", MANIFEST_FILE]) {
      await writeAll();
      await damage(path(file));
      expect(await damagedFile(readAll())).toBe(`THAW_SAFETENSORS_DAMAGED ${path(file)}`);
    }
  });

  it("names files that changed places, and tensors by name", async () => {
    await writeAll();
    await rename(path("one.safetensors"), path("kept"));
    await rename(path("two.safetensors"), path("one.safetensors"));
    await rename(path("kept"), path("two.safetensors"));
    expect(await damagedFile(readAll())).toBe(`THAW_SAFETENSORS_DAMAGED ${path("one.safetensors")}`);
    await writeAll();
    const bytes = await readFile(path("one.safetensors"));
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(path("one.safetensors"), bytes);
    await expect(readAll()).rejects.toThrow("the values of its tensor 0 are not those that were written");
  });

  it("is not read without its manifest, where the file itself says that it has one", async () => {
    await writeAll();
    await rm(path(MANIFEST_FILE));
    expect(await damagedFile(openSafetensors(path("one.safetensors")))).toBe(
      `THAW_SAFETENSORS_DAMAGED ${path(MANIFEST_FILE)}`,
    );
  });
});

describe("a manifest of somebody else", () => {
  it.each([
    ["a path", { "../x": { bytes: 0, sha256: "" } }],
    ["no size", { x: { sha256: "" } }],
    ["no object", { x: null }],
    ["sums that are none", { x: { bytes: 1, sha256: "", tensors: 7 } }],
    ["a list", []],
  ])("that has %s for a file is refused", async (_, files) => {
    await writeManifest(folder, files as never);
    expect(await damagedFile(readManifest(folder))).toBe(`THAW_SAFETENSORS_DAMAGED ${path(MANIFEST_FILE)}`);
  });

  it("does not make Thaw read what is not a file", async () => {
    await symlink("/dev/zero", path("x"));
    await writeManifest(folder, { x: { bytes: 0, sha256: "" } });
    await expect(proveFolder(folder)).rejects.toThrow("it is not a file");
  });
});

describe("finite values", () => {
  it("are told from others by the first that is not, at every place", () => {
    fc.assert(
      fc.property(fc.float32Array({ maxLength: 40 }), fc.nat({ max: 3 }), (values, skip) => {
        const view = values.subarray(Math.min(skip, values.length));
        expect(firstNotFinite(view)).toBe(view.findIndex((value) => !Number.isFinite(value)));
      }),
    );
  });
});
