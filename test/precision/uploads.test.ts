import "@tensorflow/tfjs-backend-cpu";
import { engine, setBackend } from "@tensorflow/tfjs-core";
import { backendGpu } from "@thaw/backend-gpu";
import { beforeAll, describe, expect, it } from "vitest";
import { train } from "./support.js";

/**
 * Numbers that a step may upload one by one: rates, bias corrections, clipping. Their count does not grow with the
 * model.
 */
const SINGLE_NUMBERS = 20;
/** Ids, targets, rows that are picked, and axes and sizes that operations take; the golden has 2 rows of 69 tokens. */
const INDICES_PER_TOKEN = 25;
const STEPS = 4;

/**
 * What JavaScript hands to the backend, by step: sizes of float tensors, elements of integers. A kernel's own outputs
 * are not among them.
 */
async function uploads(cache: boolean): Promise<{ readonly floats: number[]; readonly integers: number }[]> {
  const made: { floats: number[]; integers: number }[] = [{ floats: [], integers: 0 }];
  type Make = (this: unknown, values: ArrayLike<number>, shape: number[], dtype?: string) => unknown;
  const tracker = engine() as unknown as { makeTensor: Make };
  const { makeTensor: original } = tracker;
  tracker.makeTensor = function makeTensor(values, shape, dtype) {
    const size = shape.reduce((product, length) => product * length, 1);
    if (dtype === "int32") made.at(-1)!.integers += size;
    else made.at(-1)!.floats.push(size);
    return original.call(this, values, shape, dtype);
  };
  try {
    await train(backendGpu("cpu"), "float32", {
      steps: STEPS,
      cache,
      watch: ({ hooks }) => {
        hooks.afterStep.tap("Uploads", () => void made.push({ floats: [], integers: 0 }));
      },
    });
  } finally {
    tracker.makeTensor = original;
  }
  return made.slice(1, STEPS);
}

describe.each([
  ["pixels", false],
  ["cached features", true],
] as const)("a steady step that reads %s", (_, cache) => {
  beforeAll(() => setBackend("cpu"));

  it("uploads them, a mask where rows are padded, indices and single numbers, and nothing else", async () => {
    const steps = await uploads(cache);
    expect(steps).toHaveLength(STEPS - 1);
    for (const { floats, integers } of steps) {
      // Beside pixels or features of two images: who sees whom, as the golden's rows have padding (in all layers, and
      // in the last, which has fewer rows).
      const whole = floats.filter((size) => size > 1);
      expect(whole.length).toBeLessThanOrEqual(4);
      expect(floats.length - whole.length).toBeLessThanOrEqual(SINGLE_NUMBERS);
      expect(integers).toBeLessThan(INDICES_PER_TOKEN * 2 * 69);
    }
    expect(new Set(steps.map(({ floats }) => floats.length)).size).toBe(1);
  });
});
