import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { beforeAll, describe, expect, it } from "vitest";
import { ALONE, type Ensemble } from "./ensemble.js";
import { GradientBuckets, LOSS } from "./gradient-buckets.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

/** So many numbers are 16 MB: two make a bucket. */
const LARGE = [4_000_000];

describe("gradients on their way", () => {
  it("are summed from the last on, each bucket once it is whole and those before are; the loss is last", async () => {
    const before = tf.memory().numTensors;
    const asked: string[][] = [];
    let advanced = 0;
    const ensemble: Ensemble = {
      ...ALONE,
      size: 2,
      sum: async (tensors) => {
        asked.push([...tensors.keys()]);
        return tensors;
      },
      advance: () => {
        advanced += 1;
      },
    };
    const shapes = new Map([
      ["first", [2]],
      ["a", LARGE],
      ["b", LARGE],
      ["c", LARGE],
      ["last", LARGE],
    ]);
    const buckets = new GradientBuckets({ ensemble, trained: shapes.keys(), shapeOf: (name) => shapes.get(name)! });
    const give = (name: string): void => buckets.give(name, tf.keep(tf.scalar(1)));
    give("b");
    give("last");
    expect(asked).toEqual([]);
    give("c");
    expect(asked).toEqual([["last", "c"]]);
    give("a");
    expect(asked).toEqual([
      ["last", "c"],
      ["b", "a"],
    ]);
    give(LOSS);
    const sums = await buckets.finish();
    expect(asked.at(-1)).toEqual(["first", LOSS]);
    expect([buckets.has("a"), buckets.has("first"), advanced]).toEqual([true, false, 5]);
    expect(await sums.get("first")!.array()).toEqual([0, 0]);
    tf.dispose([...sums.values()]);
    buckets.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("are freed where a sum fails", async () => {
    const before = tf.memory().numTensors;
    const sum = async (tensors: ReadonlyMap<string, tf.Tensor>): Promise<never> => {
      tf.dispose([...tensors.values()]);
      throw new Error("lost");
    };
    const buckets = new GradientBuckets({
      ensemble: { ...ALONE, size: 2, sum },
      trained: ["a", "b"],
      shapeOf: () => [1],
    });
    buckets.give("b", tf.keep(tf.scalar(1)));
    await expect(buckets.finish()).rejects.toThrow("lost");
    buckets.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});
