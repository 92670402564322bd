import "@tensorflow/tfjs-backend-cpu";
import { setBackend } from "@tensorflow/tfjs-core";
import type { Evaluator, Plugin, RunSummary, TrainerOptions } from "@thaw/core";
import freezePolicy from "@thaw/plugin-freeze-policy";
import {
  runDifference,
  runTiny,
  tinySource,
  tinyTrainerOptions,
  withoutLeak,
  withTempFolder,
  type TinyRun,
} from "@thaw/testing";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { projectorOnly } from "../index.js";

beforeAll(async () => {
  await setBackend("cpu");
});

interface Observed {
  readonly run: TinyRun;
  readonly summary: RunSummary;
  readonly bytes: readonly number[];
}

/**
 * Four epochs over 6 samples with 4 images in 3 steps each; the cache and what else is asked for. `bytes`: in tensors
 * after each step.
 */
async function train(
  plugins: readonly Plugin[],
  more: Partial<TrainerOptions> = {},
  stopAfterStep?: number,
): Promise<Observed> {
  let summary: RunSummary | undefined;
  const bytes: number[] = [];
  const observer: Plugin = {
    name: "Observer",
    apiVersion: 1,
    apply: ({ hooks }) => {
      hooks.afterStep.tap("Observer", ({ memory }) => void bytes.push(memory().bytes));
      hooks.done.tap({ name: "Observer", stage: 1000 }, (given) => void (summary = given));
    },
  };
  const options = tinyTrainerOptions({
    data: {
      train: tinySource({ sampleCount: 6, imageCount: 4 }),
      evaluation: { held: tinySource({ name: "held", seed: 2, sampleCount: 3 }) },
    },
    ...more,
    training: {
      maxSteps: undefined,
      epochs: 4,
      evaluateEverySteps: 3,
      microBatchSize: 2,
      gradientAccumulationSteps: 1,
      ...more.training,
    },
    plugins: [freezePolicy({ trainMmProjOnly: true }), ...plugins, observer],
  });
  const run = await withoutLeak(() => runTiny(options, stopAfterStep));
  return { run, summary: summary!, bytes };
}

const cached = (releaseTower: boolean): Plugin => projectorOnly({ featureCache: "on", savings: { releaseTower } });

describe("releasing the tower", () => {
  it("frees it with the last batch of the first epoch, and changes nothing", async () => {
    const plain = await train([cached(false)]);
    const released = await train([cached(true)]);
    expect(runDifference(plain.run, released.run)).toBe(0);
    expect(released.summary.frozenProof).toEqual(plain.summary.frozenProof);
    expect(released.summary.evaluations).toEqual(plain.summary.evaluations);
    const saved = plain.bytes.map((bytes, step) => bytes - released.bytes[step]!);
    expect(saved.slice(0, 2)).toEqual([0, 0]);
    expect(new Set(saved.slice(2)).size).toBe(1);
    expect(saved[2]).toBe(released.summary.numbers.releasedBytes);
    expect(saved[2]).toBeGreaterThan(0);
    expect(
      released.summary.lines.some((line) => /^Released: .* of parameters that no image needed any more\.$/.test(line)),
    ).toBe(true);
    expect(plain.summary.numbers.releasedBytes).toBe(0);
  });

  it("reads it again where an evaluation brings new images, and frees it after an epoch without a miss", async () => {
    const others: Evaluator = {
      name: "others",
      everySteps: 5,
      atStart: false,
      evaluate: async (session) => {
        let sum = 0;
        for await (const batch of tinySource({ name: "others", seed: 3, sampleCount: 2 }).batches({
          epoch: 0,
          seed: 0,
          microBatchSize: 2,
          shuffle: false,
        }))
          sum += (await session.loss(batch)).lossSum;
        return { sum };
      },
    };
    const plain = await train([cached(false)], { evaluators: [others] });
    const released = await train([cached(true)], { evaluators: [others] });
    expect(runDifference(plain.run, released.run)).toBe(0);
    expect(released.summary.evaluations).toEqual(plain.summary.evaluations);
    expect(released.summary.frozenProof).toEqual(plain.summary.frozenProof);
    const isFreed = plain.bytes.map((bytes, step) => bytes > released.bytes[step]!);
    // Freed in step 3, read again by the evaluation after step 5, free again in the epoch after the third, which has no
    // miss.
    expect(isFreed).toEqual([false, false, true, true, true, false, false, false, false, true, true, true]);
    expect(released.summary.lines.join()).toContain("after one return for new images");
  });

  it("frees it with the first batch where an earlier run left all features on disk", async () => {
    await withTempFolder(async (disk) => {
      const onDisk = (releaseTower: boolean): Plugin =>
        projectorOnly({ featureCache: { disk }, savings: { releaseTower } });
      const data = () => ({ train: tinySource({ sampleCount: 4 }) });
      const plain = await train([onDisk(false)], { data: data() });
      const released = await train([onDisk(true)], { data: data() });
      expect(runDifference(plain.run, released.run)).toBe(0);
      expect(released.summary.frozenProof).toEqual(plain.summary.frozenProof);
      expect(plain.bytes[0]! - released.bytes[0]!).toBe(released.summary.numbers.releasedBytes);
      expect(released.summary.numbers.releasedBytes).toBeGreaterThan(0);
      // What is there is of other images: then the tower comes back, and goes as without a store.
      const others = await train([onDisk(true)], { data: { train: tinySource({ sampleCount: 4, seed: 9 }) } });
      expect(others.summary.numbers.releasedBytes).toBeGreaterThan(0);
    });
  });

  it("does not touch a tower that a later phase trains", async () => {
    const unfreeze: Plugin = {
      name: "Unfreeze",
      apiVersion: 1,
      claims: { writes: ["plan"] },
      apply: (trainer) =>
        trainer.hooks.plan.tap({ name: "Unfreeze", stage: 50 }, (plan) => ({
          phases: [
            ...plan.phases,
            { fromStep: 9, entries: plan.phases[0]!.entries.map((entry) => ({ ...entry, trainable: true })) },
          ],
        })),
    };
    const plain = await train([unfreeze, cached(false)]);
    const released = await train([unfreeze, cached(true)]);
    expect(runDifference(plain.run, released.run)).toBe(0);
    expect(released.summary.numbers.releasedBytes).toBe(0);
  });

  it("leaves resumed runs and what they write as they are without it", async () => {
    await withTempFolder(async (output) => {
      const plain = await train([cached(false)], { output });
      const first = await train([cached(true)], { output }, 4);
      const second = await train([cached(true)], { output, resume: { from: first.summary.runFolder! } });
      expect([...first.run.losses, ...second.run.losses]).toEqual(plain.run.losses);
      expect(second.run.parameters).toEqual(plain.run.parameters);
      const final = (folder: string): Promise<Buffer> => readFile(join(folder, "final/trained.safetensors"));
      expect(await final(second.summary.runFolder!)).toEqual(await final(plain.summary.runFolder!));
    });
  });
});
