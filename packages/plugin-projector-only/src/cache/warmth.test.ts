import { describe, expect, it } from "vitest";
import { Warmth, type WarmthBatch, type WarmthFacts } from "./warmth.js";

const batch = (more: Partial<WarmthBatch> = {}): WarmthBatch => ({
  purpose: "train",
  sampleCount: 2,
  misses: 0,
  isCovered: true,
  keepsAll: true,
  holdsAll: false,
  ...more,
});

function begun(facts: Partial<WarmthFacts> = {}): Warmth {
  const warmth = new Warmth({ trainCount: 4, evaluationCount: 0, views: 1, ...facts });
  warmth.begin();
  warmth.beginEpoch();
  return warmth;
}

/** Two batches of two samples. */
function epoch(warmth: Warmth, misses = 0): void {
  warmth.see(batch({ misses }));
  warmth.see(batch());
  warmth.endEpoch();
  warmth.beginEpoch();
}

describe("Warmth", () => {
  it("is there with the last batch of the first epoch, if all is kept", () => {
    const warmth = begun();
    warmth.see(batch({ misses: 2 }));
    expect(warmth.isWarm).toBe(false);
    warmth.see(batch({ misses: 2 }));
    expect(warmth.isWarm).toBe(true);
  });

  it("waits for the evaluation sources", () => {
    const warmth = begun({ evaluationCount: 3 });
    epoch(warmth, 2);
    expect(warmth.isWarm).toBe(false);
    warmth.see(batch({ purpose: "evaluate", sampleCount: 3, misses: 3 }));
    expect(warmth.isWarm).toBe(true);
  });

  it("waits for as many epochs as an image has views", () => {
    const warmth = begun({ views: 2 });
    epoch(warmth, 2);
    expect(warmth.isWarm).toBe(false);
    warmth.see(batch({ misses: 2 }));
    warmth.see(batch({ misses: 2 }));
    expect(warmth.isWarm).toBe(true);
  });

  it.each([
    ["something was not kept", { keepsAll: false }],
    ["the model computes something itself", { isCovered: false }],
    ["the epoch began in its middle", { sampleCount: 1 }],
  ] as const)("is not there where %s", (_, more) => {
    const warmth = begun();
    warmth.see(batch({ misses: 2 }));
    warmth.see(batch({ misses: 1, ...more }));
    warmth.endEpoch();
    expect(warmth.isWarm).toBe(false);
  });

  it("comes with an epoch without a miss where sizes are not known, or a miss came unexpected", () => {
    const unknown = begun({ trainCount: Number.NaN });
    epoch(unknown, 2);
    expect(unknown.isWarm).toBe(false);
    epoch(unknown);
    expect(unknown.isWarm).toBe(true);
    const wrong = begun();
    epoch(wrong, 2);
    wrong.distrust();
    expect(wrong.isWarm).toBe(false);
    epoch(wrong, 1);
    expect(wrong.isWarm).toBe(false);
    epoch(wrong);
    expect(wrong.isWarm).toBe(true);
  });

  it("is there at once where earlier runs left enough, until that proves wrong", () => {
    const warmth = begun();
    warmth.see(batch({ holdsAll: true, misses: 1 }));
    expect(warmth.isWarm).toBe(false);
    warmth.see(batch({ holdsAll: true, sampleCount: 1 }));
    expect(warmth.isWarm).toBe(true);
    warmth.distrust();
    expect(warmth.isWarm).toBe(false);
  });

  it("needs a training run: a session alone never knows what comes", () => {
    const warmth = new Warmth({ trainCount: 0, evaluationCount: 0, views: 1 });
    warmth.see(batch({ purpose: "evaluate" }));
    expect(warmth.isWarm).toBe(false);
  });
});
