import "@tensorflow/tfjs-backend-cpu";
import { memory, setBackend, tensor } from "@tensorflow/tfjs-core";
import { rowOffsets, silentLogger, type MediaItem, type Rows } from "@thaw/core";
import { withTempFolder } from "@thaw/testing";
import { readdir } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SegmentCache, type SegmentCacheOptions } from "./segment-cache.js";

let tensorsBefore: number;
beforeAll(async () => {
  await setBackend("cpu");
  tensorsBefore = memory().numTensors;
});
afterAll(() => expect(memory().numTensors).toBe(tensorsBefore));

/**
 * An image whose key is a number; its features are 10 times that number, twice: 8 bytes. From 100 on: two such rows.
 */
const item = (key: number): MediaItem => ({
  modality: "image",
  contentKey: String(key),
  sample: 0,
  columns: new Int32Array(0),
  facts: {},
  inputs: { pixels: { rows: key < 100 ? 1 : 2, width: 1 } },
  load: () => Promise.resolve({ pixels: Float32Array.of(key) }),
});

type Forward = (keys: readonly number[]) => number[];

function make(options: Partial<SegmentCacheOptions> = {}, forward: Forward = (keys) => keys.map((key) => 10 * key)) {
  const asked: number[][] = [];
  const logs: string[] = [];
  const log = (first: object | string, second?: string): void =>
    void logs.push(typeof first === "string" ? first : (second ?? ""));
  const cache = new SegmentCache({
    segment: { name: "tower", after: [], reads: ["pixels"], parameters: [], signature: "s" },
    fingerprint: "f",
    modelSource: "m",
    backend: "cpu",
    memoryLimitBytes: 1000,
    deviceLimitBytes: 0,
    itemCount: () => 4,
    logger: { ...silentLogger, info: log, warn: log },
    ...options,
  });
  const runSegment = (_: string, media: readonly MediaItem[]): Promise<Rows> => {
    const keys = media.map(({ contentKey }) => Number(contentKey));
    asked.push(keys);
    const rows = media.map(({ inputs }) => inputs.pixels!.rows);
    const values = forward(keys).flatMap((value, index) => Array<number>(2 * rows[index]!).fill(value));
    return Promise.resolve({ tensor: tensor(values, [values.length / 2, 2]), offsets: rowOffsets(rows) });
  };
  /** First value of each item's features; undefined where the cache is off. */
  const output = async (...keys: number[]): Promise<number[] | undefined> => {
    const result = await cache.output(keys.map(item), keys.length, { runSegment });
    if (result === undefined) return undefined;
    const { tensor: rows, offsets } = result;
    expect([...offsets]).toEqual([...rowOffsets(keys.map((key) => (key < 100 ? 1 : 2)))]);
    expect(rows.shape).toEqual([offsets.at(-1), 2]);
    const values = await rows.data();
    rows.dispose();
    return [...offsets.subarray(0, -1)].map((first) => values[2 * first]!);
  };
  return { cache, output, asked, logs };
}

describe("SegmentCache", () => {
  it("runs the segment on what is missing, and once more to test the first", async () => {
    const { output, asked, cache } = make();
    expect(await output(1, 2, 1)).toEqual([10, 20, 10]);
    expect(await output(3, 2)).toEqual([30, 20]);
    expect(asked).toEqual([[1, 2], [2], [3]]);
    expect(cache.report).toMatchObject({ hits: 2, misses: 3, memoryBytes: 24 });
  });

  it("keeps, shares and proves items of unequal length, in memory and on disk", async () => {
    await withTempFolder(async (root) => {
      const disk = { root, use: "asked" } as const;
      const { output, asked, cache } = make({ disk });
      expect(await output(1, 100)).toEqual([10, 1000]);
      expect(await output(100, 2, 100)).toEqual([1000, 20, 1000]);
      expect(asked).toEqual([[1, 100], [100], [2]]);
      expect(cache.report).toMatchObject({ hits: 2, misses: 3, memoryBytes: 8 + 16 + 8, diskBytes: 32 });
      await cache.close();
      const later = make({ disk });
      expect(await later.output(100, 2, 1)).toEqual([1000, 20, 10]);
      expect(later.asked).toEqual([[100]]);
      await later.cache.close();
    });
  });

  it("lets concurrent batches share what both need", async () => {
    const { output, asked } = make();
    expect(await Promise.all([output(1, 2), output(2, 3)])).toEqual([
      [10, 20],
      [20, 30],
    ]);
    expect(asked.flat().toSorted((a, b) => a - b)).toEqual([1, 2, 2, 3]);
  });

  it.each<[string, Forward]>([
    ["items influence one another", (keys) => keys.map((key) => key + keys.length)],
    [
      "the segment is random",
      (
        (count) => (keys: readonly number[]) =>
          keys.map(() => (count += 1))
      )(0),
    ],
  ])("is off where %s", async (_, forward) => {
    const { output, logs, cache } = make({}, forward);
    expect(await output(1, 2)).toBeUndefined();
    expect(await output(1, 2)).toBeUndefined();
    expect(logs.join()).toContain("The feature cache of tower is off: the features computed in a batch");
    expect(cache.report).toMatchObject({ memoryBytes: 0, offReason: expect.stringContaining("differ") });
  });

  it("keeps nothing that is not finite, and names the item", async () => {
    const { output } = make({}, (keys) => keys.map((key) => (key === 2 ? NaN : key)));
    await expect(output(1, 2)).rejects.toMatchObject({
      code: "THAW_PROJECTOR_ONLY_FEATURE_NOT_FINITE",
      details: { segment: "tower", index: 0 },
    });
  });

  it("goes to disk by itself where memory is too small, and only then makes a folder", async () => {
    await withTempFolder(async (root) => {
      const large = make({ disk: { root, use: "ifNeeded" } });
      await large.output(1, 2);
      await large.cache.close();
      expect(await readdir(root)).toEqual([]);
      const small = make({ disk: { root, use: "ifNeeded" }, memoryLimitBytes: 8 });
      await small.output(1, 2);
      expect(await small.output(1, 2)).toEqual([10, 20]);
      expect(small.asked).toEqual([[1, 2], [2]]);
      expect(small.logs.join()).toContain("so they go to disk");
      expect(small.cache.report.diskBytes).toBe(16);
      await small.cache.close();
      // A later run with enough memory reads what is there, and adds nothing.
      const later = make({ disk: { root, use: "ifNeeded" } });
      expect(await later.output(1, 2, 3)).toEqual([10, 20, 30]);
      expect(later.asked).toEqual([[1], [3], [3]]);
      expect(later.cache.report.diskBytes).toBe(16);
      await later.cache.close();
    });
  });

  it("stops adding at the limit of the disk", async () => {
    await withTempFolder(async (root) => {
      const { output, cache } = make({ disk: { root, use: "asked", limitBytes: 20 } });
      await output(1, 2, 3, 4);
      expect(cache.report.diskBytes).toBe(16);
      expect(await output(1, 2, 3, 4)).toEqual([10, 20, 30, 40]);
      await cache.close();
    });
  });

  it("finds nothing of another signature, and takes the model's source where there is none", async () => {
    await withTempFolder(async (root) => {
      const disk = { root, use: "asked" } as const;
      const first = make({ disk });
      await first.output(1);
      await first.cache.close();
      const other = make({ disk, segment: { name: "tower", after: [], reads: ["pixels"], parameters: [] } });
      await other.output(1);
      await other.cache.close();
      expect(other.cache.report.misses).toBe(1);
      expect((await readdir(root)).length).toBe(2);
    });
  });
});
