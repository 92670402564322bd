import { describe, expect, it } from "vitest";
import { ByteLru } from "./byte-lru.js";
import type { Feature } from "../cache/feature.js";

const feature = (count: number): Feature => ({ shape: [count], values: new Float32Array(count) });

describe("ByteLru", () => {
  it("drops what was used longest ago when it is full", () => {
    const lru = new ByteLru(3 * 16);
    for (const key of ["a", "b", "c"]) lru.set(key, feature(4));
    lru.get("a");
    lru.set("d", feature(4));
    expect(["a", "b", "c", "d"].map((key) => lru.get(key) !== undefined)).toEqual([true, false, true, true]);
    expect(lru.bytes).toBe(48);
  });

  it("never holds more than its limit, with entries of any size", () => {
    const lru = new ByteLru(100);
    for (let index = 0; index < 200; index += 1) {
      lru.set(`k${index % 17}`, feature(1 + ((index * 7) % 20)));
      expect(lru.bytes).toBeLessThanOrEqual(100);
    }
  });

  it("refuses what is larger than the limit, and keeps the rest", () => {
    const lru = new ByteLru(32);
    lru.set("a", feature(4));
    expect(lru.set("b", feature(9))).toBe(false);
    expect(lru.entryCount).toBe(1);
  });

  it("counts a replaced entry once", () => {
    const lru = new ByteLru(64);
    lru.set("a", feature(4));
    lru.set("a", feature(8));
    expect([lru.bytes, lru.entryCount]).toEqual([32, 1]);
  });

  it("takes nothing more when it may not evict", () => {
    const lru = new ByteLru(32, { evicts: false });
    expect([lru.set("a", feature(4)), lru.set("b", feature(4)), lru.set("c", feature(4))]).toEqual([true, true, false]);
    expect(lru.get("a")).toBeDefined();
  });

  it("gives more hits over shuffled epochs when a too small memory does not evict", () => {
    const hits = (evicts: boolean): number => {
      const lru = new ByteLru(50 * 4, { evicts });
      let state = 1;
      let count = 0;
      for (let epoch = 0; epoch < 20; epoch += 1) {
        const order = Array.from({ length: 100 }, (_, index) => index);
        for (let index = order.length - 1; index > 0; index -= 1) {
          state = (state * 48271) % 2147483647;
          const other = state % (index + 1);
          [order[index], order[other]] = [order[other]!, order[index]!];
        }
        for (const item of order) {
          if (lru.get(`${item}`) === undefined) lru.set(`${item}`, feature(1));
          else count += 1;
        }
      }
      return count;
    };
    expect(hits(false)).toBe(19 * 50);
    expect(hits(true)).toBeLessThan(0.75 * hits(false));
  });
});
