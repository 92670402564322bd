import fc from "fast-check";
import { expect, it } from "vitest";
import { stretchMs, StepTimes, TELLING_STEPS } from "./step-times.js";

it("takes the first step as it was and the middle one of the others for the rest", () => {
  expect(stretchMs([100, 9, 10, 50], 1)).toBe(100);
  expect(stretchMs([100, 9, 10, 50], 11)).toBe(100 + 10 * 10);
  expect(stretchMs([7], 3)).toBe(21);
  expect([stretchMs([], 0), stretchMs([], 2)]).toEqual([0, Number.NaN]);
});

it("is exact where steps of a stretch are equal, whatever its length, and counts each kind by itself", () => {
  const stretch = fc.record({
    ms: fc.integer({ min: 1, max: 500 }),
    first: fc.integer({ min: 1, max: 900 }),
    steps: fc.integer({ min: 1, max: 40 }),
  });
  fc.assert(
    fc.property(fc.array(stretch, { minLength: 1, maxLength: 4 }), (stretches) => {
      const times = new StepTimes();
      for (const [phaseStep, { ms, first, steps }] of stretches.entries())
        for (let step = 0; step < steps; step += 1)
          times.add(step === 0 ? first : ms, { phaseStep, isNew: step % 1 === 0 });
      expect(times.estimatedMs).toBe(times.measuredMs);
      expect(times.steps).toBe(stretches.reduce((sum, { steps }) => sum + steps, 0));
      expect(times.toldBy).toBe(stretches.reduce((sum, { steps }) => sum + Math.min(steps, TELLING_STEPS), 0));
    }),
  );
});

it("does not take steps on known samples for steps on new ones", () => {
  const times = new StepTimes();
  for (let step = 0; step < 10; step += 1) times.add(100, { phaseStep: 0, isNew: true });
  for (let step = 0; step < 30; step += 1) times.add(10, { phaseStep: 0, isNew: false });
  expect([times.estimatedMs, times.toldBy]).toEqual([1300, 2 * TELLING_STEPS]);
});
