import "@tensorflow/tfjs-backend-cpu";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { Trainer, type TrainerOptions } from "@thaw/core";
import { recordLifecycle, tinyModel, tinySource, withoutLeak } from "@thaw/testing";
import { beforeAll, describe, expect, it } from "vitest";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

const PLANNING = ["requests", "parameters", "plan", "parameterGroups", "rules", "collectIssues", "findings", "planned"];
const LOADING = ["resolveBackend"];
const MICRO_BATCH = ["batch", "scope", "loss"];
const UPDATE = ["gradients", "afterStep", "collectMetrics", "record"];
const EVALUATION = ["batch", "scope", "record", "evaluated"];

/**
 * Five samples by twos: three micro-batches per epoch, two to a step, so the second step of an epoch is a short one.
 */
function makeTrainer(options: Partial<TrainerOptions> = {}): Trainer {
  const trainer = new Trainer({
    model: tinyModel(),
    seed: 1,
    data: { train: tinySource({ sampleCount: 5 }), evaluation: { held: tinySource({ sampleCount: 2 }) } },
    ...options,
    training: {
      epochs: 2,
      microBatchSize: 2,
      gradientAccumulationSteps: 2,
      evaluateEverySteps: 3,
      ...options.training,
    },
  });
  // A hook with no tap is not called where core can tell; one tap each keeps the record complete
  trainer.hooks.gradients.tap("Recorder", (gradients) => gradients);
  return trainer;
}

const step = (microBatches: number): string[] => [
  "beforeStep",
  ...Array.from({ length: microBatches }, () => MICRO_BATCH).flat(),
  ...UPDATE,
];

describe("the lifecycle of a run of two epochs", () => {
  it("fires its hooks in this order", async () => {
    await withoutLeak(async () => {
      const trainer = makeTrainer();
      const recorder = recordLifecycle(trainer);
      await trainer.run();
      expect(recorder.names).toEqual([
        ...PLANNING,
        ...LOADING,
        "resolveOptimizer",
        "initialize",
        "record",
        "beforeRun",
        ...EVALUATION,
        "beforeEpoch",
        ...step(2),
        "shouldStop",
        ...step(1),
        "shouldStop",
        "afterEpoch",
        "beforeEpoch",
        ...step(2),
        ...EVALUATION,
        "shouldStop",
        ...step(1),
        "shouldStop",
        "afterEpoch",
        ...EVALUATION,
        "done",
        "record",
        "shutdown",
      ]);
    });
  });

  it("saves after everything else of a step, and restores before the run", async () => {
    const output = await mkdtemp(join(tmpdir(), "thaw-lifecycle-"));
    try {
      const stopped = makeTrainer({ output });
      const first = recordLifecycle(stopped);
      stopped.hooks.afterStep.tap("Stop", ({ step: index }) => {
        if (index === 1) stopped.stop("enough");
      });
      const { runFolder } = await stopped.run();
      expect(first.names.slice(first.names.lastIndexOf("beforeStep"))).toEqual([
        ...step(1),
        "shouldStop",
        "afterEpoch",
        "checkpoint",
        "record",
        "done",
        "record",
        "shutdown",
      ]);
      const resumed = makeTrainer({ output, resume: { from: runFolder! } });
      const second = recordLifecycle(resumed);
      await resumed.run();
      expect(second.names.slice(0, 17)).toEqual([
        ...PLANNING,
        ...LOADING,
        "resolveOptimizer",
        "initialize",
        "restored",
        "record",
        "beforeRun",
        "beforeEpoch",
        "beforeStep",
        "batch",
      ]);
    } finally {
      await rm(output, { recursive: true });
    }
  });

  it("stops at planned when only the plan is asked for", async () => {
    const trainer = makeTrainer();
    const recorder = recordLifecycle(trainer);
    await trainer.plan();
    expect(recorder.names).toEqual(PLANNING);
  });

  it("is planning, loading and shutdown for a session", async () => {
    await withoutLeak(async () => {
      const trainer = makeTrainer();
      const recorder = recordLifecycle(trainer);
      await (await trainer.open()).close();
      expect(recorder.names).toEqual([...PLANNING, ...LOADING, "initialize", "shutdown"]);
    });
  });

  it("ends with failed and shutdown when something fails", async () => {
    await withoutLeak(async () => {
      const trainer = makeTrainer();
      const recorder = recordLifecycle(trainer);
      trainer.hooks.loss.tap("Bad", () => {
        throw new Error("bad");
      });
      await expect(trainer.run()).rejects.toThrow("bad");
      expect(recorder.names.slice(-5)).toEqual(["scope", "loss", "record", "failed", "shutdown"]);
    });
  });
});
