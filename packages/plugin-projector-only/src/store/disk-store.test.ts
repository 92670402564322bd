import { appendFile, mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { pruneStores } from "./disk-room.js";
import { DiskStore, type StoreIdentity } from "./disk-store.js";
import type { Feature } from "../cache/feature.js";

const identity: StoreIdentity = {
  segment: "vision_tower",
  fingerprint: "f0",
  signature: "layer -2",
  backend: "cpu",
  dtype: "F32",
};
const feature = (...values: number[]): Feature => ({ shape: [values.length], values: Float32Array.from(values) });

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "thaw-store-"));
});
afterEach(async () => {
  await rm(root, { recursive: true });
});

async function file(store: DiskStore, ending: string): Promise<string> {
  const name = (await readdir(store.folder)).find((entry) => entry.endsWith(ending));
  return join(store.folder, name!);
}

describe("DiskStore", () => {
  it("gives back what a run before wrote, bit for bit", async () => {
    const first = await DiskStore.open(root, identity);
    await Promise.all([
      first.write("a", feature(1.5, -0, NaN, 1e-40)),
      first.write("b", { shape: [2, 1], values: Float32Array.of(3, 4) }),
    ]);
    await first.close();
    const second = await DiskStore.open(root, identity);
    expect(second.entryCount).toBe(2);
    expect(second.bytes).toBe(24);
    expect(new Uint32Array((await second.read("a"))!.values.buffer)).toEqual(
      new Uint32Array(Float32Array.of(1.5, -0, NaN, 1e-40).buffer),
    );
    expect(await second.read("b")).toEqual({ shape: [2, 1], values: Float32Array.of(3, 4) });
    await second.close();
  });

  it("reads what it wrote itself, and writes a key once", async () => {
    const store = await DiskStore.open(root, identity);
    await store.write("a", feature(1, 2));
    await store.write("a", feature(3, 4));
    expect((await store.read("a"))!.values).toEqual(Float32Array.of(1, 2));
    expect(await store.read("b")).toBeUndefined();
    await store.close();
  });

  it("puts many files of writers that are done into one, and leaves out what is damaged", async () => {
    const before = new Date(Date.now() - 2 * 3_600_000);
    for (let run = 0; run < 70; run++) {
      const store = await DiskStore.open(root, identity);
      await store.write(`key${run}`, feature(run, run + 0.5));
      await store.close();
    }
    const { folder } = await DiskStore.open(root, identity);
    const data = async () => (await readdir(folder)).filter((name) => name.endsWith(".features")).sort();
    const written = await data();
    expect(written).toHaveLength(70); // they may have writers still
    for (const name of written.slice(0, 69)) await utimes(join(folder, name), before, before);
    const broken = await readFile(join(folder, written[0]!));
    broken[3]! ^= 1;
    await writeFile(join(folder, written[0]!), broken);
    await utimes(join(folder, written[0]!), before, before);
    const [one, other] = await Promise.all([DiskStore.open(root, identity), DiskStore.open(root, identity)]);
    expect((await data()).length).toBeLessThanOrEqual(3);
    const last = await DiskStore.open(root, identity);
    expect(last.entryCount).toBe(69);
    for (const store of [one, other, last]) {
      const found = await Promise.all(Array.from({ length: 70 }, async (_, run) => store.read(`key${run}`)));
      found.forEach((value, run) => {
        if (value !== undefined) expect(value.values).toEqual(Float32Array.of(run, run + 0.5));
      });
      await store.close();
    }
    expect((await readdir(folder)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("takes writers at the same time, each with its own files", async () => {
    const [left, right] = [await DiskStore.open(root, identity), await DiskStore.open(root, identity)];
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => [
        left.write(`l${index}`, feature(index)),
        right.write(`r${index}`, feature(-index)),
      ]).flat(),
    );
    await Promise.all([left.close(), right.close()]);
    const reader = await DiskStore.open(root, identity);
    expect(reader.entryCount).toBe(40);
    expect((await reader.read("r7"))!.values[0]).toBe(-7);
    await reader.close();
  });

  it("keeps few files open however many writers there were", async () => {
    for (let index = 0; index < 60; index++) {
      const writer = await DiskStore.open(root, identity);
      await writer.write(`k${index}`, feature(index));
      await writer.close();
    }
    const openFiles = async (): Promise<number> => (await readdir("/proc/self/fd")).length;
    const reader = await DiskStore.open(root, identity);
    const before = await openFiles();
    const values = await Promise.all(Array.from({ length: 60 }, async (_, index) => reader.read(`k${index}`)));
    expect(values.map((value) => value!.values[0])).toEqual(Array.from({ length: 60 }, (_, index) => index));
    expect((await openFiles()) - before).toBeLessThanOrEqual(32);
    expect((await reader.read("k0"))!.values[0]).toBe(0);
    await reader.close();
    expect(await openFiles()).toBeLessThanOrEqual(before);
  });

  it("takes a shape that was edited for a miss", async () => {
    const writer = await DiskStore.open(root, identity);
    await writer.write("a", { shape: [2, 3], values: new Float32Array(6) });
    await writer.close();
    const index = await file(writer, ".index");
    await writeFile(index, (await readFile(index, "utf8")).replace("[2,3]", "[3,2]"));
    const reader = await DiskStore.open(root, identity);
    expect(await reader.read("a")).toBeUndefined();
    await reader.close();
  });

  it("does not mix stores of another tower, feature layer or backend", async () => {
    const store = await DiskStore.open(root, identity);
    await store.write("a", feature(1));
    await store.close();
    for (const change of [
      { fingerprint: "f1" },
      { signature: "layer -1" },
      { backend: "wasm" },
      { segment: "audio_tower" },
    ]) {
      const other = await DiskStore.open(root, { ...identity, ...change });
      expect(other.has("a")).toBe(false);
      await other.close();
    }
  });

  it("survives a crash in the middle of an index line or of the data", async () => {
    const store = await DiskStore.open(root, identity);
    for (const key of ["a", "b", "c"]) await store.write(key, feature(key.charCodeAt(0), 0));
    await store.close();
    await appendFile(await file(store, ".index"), '{"key":"d","offset":24,"sha');
    await truncate(await file(store, ".features"), 20);
    const reader = await DiskStore.open(root, identity);
    expect(["a", "b", "c", "d"].map((key) => reader.has(key))).toEqual([true, true, false, false]);
    await reader.write("c", feature(5, 6));
    await reader.close();
    const again = await DiskStore.open(root, identity);
    expect((await again.read("c"))!.values).toEqual(Float32Array.of(5, 6));
    await again.close();
  });

  it("takes damaged bytes and nonsense lines for misses", async () => {
    const store = await DiskStore.open(root, identity);
    await store.write("a", feature(1, 2));
    await store.write("b", feature(3, 4));
    await store.close();
    const data = await file(store, ".features");
    const bytes = await readFile(data);
    bytes[1] = bytes[1]! ^ 1;
    await writeFile(data, bytes);
    await appendFile(
      await file(store, ".index"),
      'null\n{"key":1}\n{"key":"x","offset":-1,"shape":[1],"crc":0}\n{"key":"y","offset":0,"shape":["1"],"crc":0}\n',
    );
    const reader = await DiskStore.open(root, identity);
    expect(reader.entryCount).toBe(2);
    expect(await reader.read("a")).toBeUndefined();
    expect(reader.has("a")).toBe(false);
    expect((await reader.read("b"))!.values).toEqual(Float32Array.of(3, 4));
    await reader.close();
  });

  it("stops writing where the disk refuses, says why, and goes on reading", async () => {
    const store = await DiskStore.open(root, identity);
    await store.write("a", feature(1));
    await store.read("a");
    const blocked = await DiskStore.open(root, identity);
    await rm(blocked.folder, { recursive: true });
    await blocked.write("b", feature(2));
    expect(String(blocked.failure)).toContain("ENOENT");
    expect(blocked.has("b")).toBe(false);
    await blocked.write("c", feature(2));
    await blocked.close();
    expect((await store.read("a"))!.values[0]).toBe(1);
    await store.close();
  });

  it("misses nothing that another writes while it looks", async () => {
    const [writer, reader] = [await DiskStore.open(root, identity), await DiskStore.open(root, identity)];
    reader.isShared = true;
    const keys = Array.from({ length: 300 }, (_, key) => String(key));
    let isWriting = true;
    const looks = (async () => {
      while (isWriting) await reader.refresh();
    })();
    for (const key of keys) await writer.write(key, feature(Number(key)));
    isWriting = false;
    await looks;
    await reader.refresh();
    expect(keys.filter((key) => !reader.has(key))).toEqual([]);
    await Promise.all([writer.close(), reader.close()]);
  });
});

describe("pruneStores", () => {
  it("deletes the stores used longest ago, but not the own one, nor one in use, nor foreign folders", async () => {
    const folders: string[] = [];
    for (const fingerprint of ["old", "older", "own", "recent"]) {
      const store = await DiskStore.open(root, { ...identity, fingerprint });
      await store.write("a", { shape: [1000], values: new Float32Array(1000) });
      await store.close();
      folders.push(store.folder);
    }
    await writeFile(join(root, "notes.txt"), "mine");
    const days = (count: number): Date => new Date(Date.now() - count * 86_400_000);
    await utimes(folders[0]!, days(3), days(3));
    await utimes(folders[1]!, days(9), days(9));
    await utimes(folders[2]!, days(20), days(20));
    const left = await pruneStores(root, 13_500, folders[2]!);
    const names = await readdir(root);
    expect(folders.map((folder) => names.includes(folder.slice(root.length + 1)))).toEqual([true, false, true, true]);
    expect(names).toContain("notes.txt");
    expect(left).toBeGreaterThan(8_000);
    expect(left).toBeLessThan(9_000);
    expect(await pruneStores(join(root, "absent"), 1, "")).toBe(0);
  });
});
