import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { beforeAll, describe, expect, it } from "vitest";
import { ALONE, type Ensemble } from "./ensemble.js";
import { memoryEnsembles } from "./memory-ensemble.js";
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

  it("go to the rank that owns them alone, in the order in which they come, and others keep nothing", async () => {
    const before = tf.memory();
    const shapes = new Map(["a", "b", "c", "d"].map((name) => [name, name < "c" ? [3] : LARGE] as const));
    const ownerOf = (name: string): number => ({ a: 0, b: 1, c: 1, d: 0 })[name]!;
    const asked: string[][] = [];
    const sums = await Promise.all(
      memoryEnsembles(2).map(async (ensemble) => {
        const watched: Ensemble = {
          ...ensemble,
          sumFor: (owner, tensors) => (asked.push([`${owner}`, ...tensors.keys()]), ensemble.sumFor!(owner, tensors)),
        };
        const input = { trained: shapes.keys(), shapeOf: (name: string) => shapes.get(name)!, ownerOf };
        const buckets = new GradientBuckets({ ensemble: watched, ...input });
        for (const name of ["d", "c", "b", "a"]) buckets.give(name, tf.keep(tf.fill(shapes.get(name)!, 2)));
        buckets.give(LOSS, tf.keep(tf.scalar(1)));
        return buckets.finish();
      }),
    );
    expect(sums.map((sum) => [...sum.keys()])).toEqual([
      ["d", "a", LOSS],
      ["c", "b", LOSS],
    ]);
    expect(asked.slice(0, 2)).toEqual([
      ["1", "c", "b"],
      ["0", "d", "a"],
    ]);
    // Of 32 MB of gradients each rank keeps half
    const [mine] = sums.map((sum) => [...sum.values()].reduce((bytes, { size }) => bytes + 4 * size, 0));
    expect(mine).toBe(4 * (LARGE[0]! + 3 + 1));
    expect([...sums[1]!.get("b")!.dataSync()]).toEqual([4, 4, 4]);
    for (const sum of sums) tf.dispose([...sum.values()]);
    expect(tf.memory().numTensors).toBe(before.numTensors);
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
