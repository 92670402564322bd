import { describe, expect, it } from "vitest";
import { ByteLru } from "../store/byte-lru.js";
import { FeatureCache } from "./feature-cache.js";
import type { Feature } from "./feature.js";

const feature = (value: number): Feature => ({ shape: [1], values: Float32Array.of(value) });
const values = (features: readonly Feature[]): number[] => features.map((item) => item.values[0]!);

/** Computes `10 * position` and notes what it was asked for. */
function computing(delay?: Promise<void>): {
  readonly asked: number[][];
  readonly compute: (positions: readonly number[]) => Promise<Feature[]>;
} {
  const asked: number[][] = [];
  return {
    asked,
    compute: async (positions) => {
      asked.push([...positions]);
      await delay;
      return positions.map((position) => feature(10 * position));
    },
  };
}

describe("FeatureCache", () => {
  it("computes what is missing only, once per key, and keeps the order", async () => {
    const cache = new FeatureCache({ memory: new ByteLru(1000) });
    const { asked, compute } = computing();
    expect(values(await cache.get(["a", "b", "a"], compute))).toEqual([0, 10, 0]);
    expect(values(await cache.get(["b", "c", "a"], compute))).toEqual([10, 10, 0]);
    expect(asked).toEqual([[0, 1], [1]]);
    expect(cache.counts).toEqual({ memoryHits: 2, diskHits: 0, sharedHits: 1, misses: 3 });
  });

  it("shares one computation between concurrent requests", async () => {
    const cache = new FeatureCache({ memory: new ByteLru(1000) });
    let release!: () => void;
    const { asked, compute } = computing(new Promise((resolve) => (release = resolve)));
    const requests = [cache.get(["a", "b"], compute), cache.get(["b", "c"], compute), cache.get(["a"], compute)];
    release();
    const results = await Promise.all(requests);
    expect(results.map(values)).toEqual([[0, 10], [10, 10], [0]]);
    expect(asked).toEqual([[0, 1], [1]]);
  });

  it("rejects for everyone who waits, and computes anew next time", async () => {
    const cache = new FeatureCache({ memory: new ByteLru(1000) });
    const failing = (): Promise<Feature[]> => Promise.reject(new Error("broken image"));
    const both = await Promise.allSettled([cache.get(["a"], failing), cache.get(["a"], failing)]);
    expect(both.map((result) => result.status)).toEqual(["rejected", "rejected"]);
    expect(values(await cache.get(["a"], computing().compute))).toEqual([0]);
  });

  it("works where nothing is kept", async () => {
    const cache = new FeatureCache({});
    const { asked, compute } = computing();
    await cache.get(["a"], compute);
    await cache.get(["a"], compute);
    expect(asked.length).toBe(2);
  });
});
