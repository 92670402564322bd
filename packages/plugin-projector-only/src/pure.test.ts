import { describe, expect, it } from "vitest";
import { decideCache } from "./cache/decide.js";
import { relativeError } from "./cache/feature.js";
import { projectorOnlySchema } from "./options.js";
import { cacheableSegments } from "./segments.js";
import { parseBytes } from "./sizes.js";

describe("sizes", () => {
  it.each([
    ["2GB", 2e9],
    ["512 MiB", 2 ** 29],
    ["1.5gb", 1.5e9],
    ["7b", 7],
    ["2", undefined],
    ["./cache", undefined],
    ["GB", undefined],
  ])("reads %s", (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });
});

describe("projectorOnlySchema", () => {
  it.each([
    [undefined, { mode: "auto" }],
    [{}, { mode: "auto" }],
    [{ featureCache: true }, { mode: "on" }],
    [{ featureCache: false }, { mode: "off" }],
    [{ featureCache: "off" }, { mode: "off" }],
    [{ featureCache: { memory: "2GB" } }, { mode: "on", memoryBytes: 2e9, disk: false }],
    [{ featureCache: { disk: true } }, { mode: "on", disk: {} }],
    [
      { featureCache: { memory: 0, disk: "./features" } },
      { mode: "on", memoryBytes: 0, disk: { folder: "./features" } },
    ],
    [{ featureCache: { disk: "10GB" } }, { mode: "on", disk: { limitBytes: 1e10 } }],
    [{ featureCache: { disk: 500 } }, { mode: "on", disk: { limitBytes: 500 } }],
  ])("resolves %j", (input, expected) => {
    expect(projectorOnlySchema.parse(input)).toMatchObject({
      featureCache: expected,
      required: false,
      savings: { padding: true, tail: true, lastLayer: true, logits: true, prefix: true, releaseTower: true },
    });
  });
  it.each([
    [{ featureCache: "maybe" }],
    [{ featureCache: { memory: "much" } }],
    [{ featureCache: { ram: 1 } }],
    [{ feature_cache: "on" }],
    [{ featureCache: { memory: -1 } }],
    [{ savings: { head: false } }],
    [{ savings: { tail: "off" } }],
    [{ required: "yes" }],
  ])("refuses %j", (input) => {
    expect(projectorOnlySchema.safeParse(input).success).toBe(false);
  });
});

describe("decideCache", () => {
  const facts = {
    bytesPerItem: 1000,
    itemCount: 100,
    memoryLimitBytes: 200_000,
    diskLimitBytes: 1e9,
    wantsDisk: false,
  };
  it.each([
    ["all fits into memory", facts, { memory: true, disk: false, evicts: true }],
    [
      "memory is too small, disk is not",
      { ...facts, memoryLimitBytes: 10_000 },
      { memory: true, disk: true, evicts: true },
    ],
    [
      "both are too small",
      { ...facts, memoryLimitBytes: 10_000, diskLimitBytes: 50_000 },
      { memory: true, disk: false, evicts: false },
    ],
    ["disk was asked for", { ...facts, wantsDisk: true }, { memory: true, disk: true, evicts: true }],
    [
      "not one item fits into memory",
      { ...facts, memoryLimitBytes: 10, diskLimitBytes: 0 },
      { memory: false, disk: false, evicts: false },
    ],
    ["the count is unknown", { ...facts, itemCount: undefined }, { memory: true, disk: false, evicts: true }],
  ])("decides where %s", (_, input, expected) => {
    expect(decideCache(input)).toMatchObject(expected);
  });
  it("says why, with the sizes", () => {
    expect(decideCache(facts).reason).toBe(
      "100 images of 1.0 kB are 100 kB, which fits into the 200 kB of memory that may be used",
    );
    expect(decideCache({ ...facts, memoryLimitBytes: 10_000, diskLimitBytes: 0 }).reason).toContain(
      "the first 10% stay in memory",
    );
  });
});

describe("cacheableSegments", () => {
  const segment = (name: string, reads: string[] = [], after: string[] = []) => ({
    name,
    reads,
    after,
    parameters: [],
  });
  const segments = [
    segment("tower", ["pixelValues"]),
    segment("tower.embeddings", ["pixelValues"]),
    segment("tower.layers.0", [], ["tower.embeddings"]),
    segment("projector", [], ["tower"]),
    segment("audio", ["features"]),
  ];
  it("takes the outermost frozen segments that read inputs", () => {
    const flows = new Map([
      ["tower", "prefix"],
      ["tower.embeddings", "prefix"],
      ["tower.layers.0", "prefix"],
      ["projector", "trained"],
      ["audio", "trained"],
    ] as const);
    expect(cacheableSegments(segments, flows)).toEqual([segments[0]]);
  });
  it("takes an inner one where the outer one trains, and none where all train", () => {
    expect(
      cacheableSegments(
        segments,
        new Map([
          ["tower", "trained"],
          ["tower.embeddings", "prefix"],
        ] as const),
      ).map(({ name }) => name),
    ).toEqual(["tower.embeddings"]);
    expect(cacheableSegments(segments, new Map([["tower", "trained"]] as const))).toEqual([]);
  });
});

describe("relativeError", () => {
  const feature = (shape: number[], ...values: number[]) => ({ shape, values: Float32Array.from(values) });
  it("is relative to the largest expected value, and infinite for other shapes and for NaN", () => {
    expect(relativeError(feature([2], 1, 4), feature([2], 1, 5))).toBeCloseTo(0.2);
    expect(relativeError(feature([2], 0, 0), feature([2], 0, 0))).toBe(0);
    expect(relativeError(feature([2], 1, 4), feature([1, 2], 1, 4))).toBe(Infinity);
    expect(relativeError(feature([1], NaN), feature([1], 1))).toBe(Infinity);
  });
});
