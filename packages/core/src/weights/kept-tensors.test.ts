import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import type { Segment } from "@thaw/contracts";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { KeptTensors } from "./kept-tensors.js";

let tensors = 0;
let kept: KeptTensors;
beforeAll(async () => {
  await tf.setBackend("cpu");
});
beforeEach(() => {
  tensors = tf.memory().numTensors;
  kept = new KeptTensors(SEGMENTS, [
    { name: "a", shape: [16, 8], dtype: "F32", tiedNames: ["tied"] },
    { name: "b", shape: [4], dtype: "F32" },
  ]);
});
afterEach(() => {
  kept.dispose();
  expect(tf.memory().numTensors).toBe(tensors);
});

/** 512 bytes of parameters, so 32 may be kept; and 16. */
const SEGMENTS: readonly Segment[] = [
  { name: "decoder", after: [], reads: [], parameters: ["tied"] },
  { name: "other", after: [], reads: [], parameters: ["b"] },
];
const make =
  (value: number, count = 4) =>
  () => [tf.fill([count], value)];
const first = (key: string, value: number, count?: number): number =>
  kept.get("decoder", key, make(value, count))![0]!.dataSync()[0]!;

describe("KeptTensors", () => {
  it("makes a key's tensors once", () => {
    expect([first("x", 1), first("x", 2), first("y", 3)]).toEqual([1, 1, 3]);
    expect(kept.bytes).toBe(32);
  });

  it("frees what was used longest ago, between passes alone", () => {
    first("x", 1);
    first("y", 2);
    first("x", 3);
    first("z", 4);
    expect(kept.bytes).toBe(48);
    kept.endPass();
    expect([first("x", 5), first("z", 5), first("y", 5)]).toEqual([1, 4, 5]);
  });

  it("keeps nothing of a segment that trains, by whatever name, and nothing across phases", () => {
    first("x", 1);
    kept.enter(new Set(["a"]));
    expect(kept.bytes).toBe(0);
    expect(kept.get("decoder", "x", make(1))).toBeUndefined();
    expect(kept.get("nothing", "x", make(1))).toBeUndefined();
    kept.enter(new Set(["b"]));
    expect(first("x", 2)).toBe(2);
  });

  it("forgets what was made of a parameter that was replaced", () => {
    first("x", 1);
    kept.forget("b");
    expect(first("x", 2)).toBe(1);
    kept.forget("a");
    expect(first("x", 3)).toBe(3);
  });
});
