import "@tensorflow/tfjs-backend-cpu";
import { setBackend } from "@tensorflow/tfjs-core";
import { conformance, runTiny, tinyTrainerOptions } from "@thaw/testing";
import { beforeAll, describe, expect, it } from "vitest";
import earlyStopping from "./index.js";
import { INITIAL, observe } from "./patience.js";

beforeAll(async () => {
  await setBackend("cpu");
});

describe("observe", () => {
  it.each([
    ["the first value is the best", INITIAL, 2, { best: 2, bestStep: 5, worseCount: 0 }],
    ["a lower value is better", { best: 2, bestStep: 1, worseCount: 1 }, 1, { best: 1, bestStep: 5, worseCount: 0 }],
    [
      "a gain below minDelta does not count",
      { best: 2, bestStep: 1, worseCount: 1 },
      1.95,
      { best: 2, bestStep: 1, worseCount: 2 },
    ],
  ])("%s", (_, state, value, expected) => {
    expect(observe(state, value, 5, 0.1)).toEqual(expected);
  });
});

describe("earlyStopping", () => {
  it("stops where nothing improves, and says why", async () => {
    const run = await runTiny(
      tinyTrainerOptions({
        plugins: [earlyStopping({ evaluation: "held", patience: 2, minDelta: 100 })],
        training: { maxSteps: 30, evaluateEverySteps: 1 },
      }),
    );
    expect(run.steps).toBe(2);
    expect(run.stopReason).toContain("held loss did not improve");
  });

  it("lets a run that improves go on", async () => {
    const run = await runTiny(tinyTrainerOptions({ plugins: [earlyStopping({ evaluation: "held", patience: 6 })] }));
    expect(run.steps).toBe(6);
  });

  for (const { name, run } of conformance(() => earlyStopping({ evaluation: "held", patience: 2, minDelta: 0.01 })))
    it(name, run);
});
