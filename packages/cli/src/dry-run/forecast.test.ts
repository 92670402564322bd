import { expect, it } from "vitest";
import { forecast, type Trial } from "./forecast.js";

const TRIAL: Trial = {
  backend: "cpu",
  startMs: 1000,
  newMs: [300, 100, 100],
  seenMs: [20, 10, 10],
  estimatedStepBytes: 2e6,
  residentBytes: 1e6,
  stepPeakBytes: 2e6,
  evaluations: [
    { name: "held", tried: 4, samples: 40, ms: 8 },
    { name: "captions/held", tried: 2, samples: 40, ms: 6, baselines: { fixedMs: 50, sampleMs: 2 } },
  ],
};

it("multiplies out what was measured: steps of each kind, evaluations by sample and by how often", () => {
  const whole = forecast(TRIAL, { totalSteps: 50, newSteps: 20, evaluateEverySteps: 20 });
  // new: 300 + 19 * 100, seen: 20 + 29 * 10; at the start, after 20 and 40 steps, and at the end
  expect(whole.stepsMs).toBe(2200 + 310);
  expect(whole.evaluations).toEqual([
    { name: "held", times: 4, ms: 4 * 80 },
    { name: "captions/held", times: 4, ms: 4 * 120 + 50 + 80 },
  ]);
  expect(whole.totalMs).toBe(1000 + 2510 + 320 + 610);
  expect(whole.stepMs).toBe(2510 / 50);
});

it("measures the end once where an evaluation falls on it, and a run without evaluations between at both ends", () => {
  const times = (totalSteps: number, every?: number): number | undefined =>
    forecast(TRIAL, { totalSteps, newSteps: 5, ...(every === undefined ? {} : { evaluateEverySteps: every }) })
      .evaluations[0]?.times;
  expect([times(40, 20), times(41, 20), times(10, 20), times(40)]).toEqual([3, 4, 2, 2]);
});

it("takes steps on new samples for all where the trial had no others", () => {
  expect(forecast({ ...TRIAL, seenMs: [], evaluations: [] }, { totalSteps: 12, newSteps: 10 }).stepsMs).toBe(
    1200 + 200,
  );
});
