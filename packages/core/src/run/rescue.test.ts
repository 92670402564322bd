import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import type { BatchSource } from "@thaw/contracts";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { FailedContext } from "../api/contexts.js";
import type { SavedState } from "../api/summary.js";
import type { TrainerHooks } from "../api/hooks.js";
import type { Plugin } from "../api/plugin.js";
import type { TrainerOptions } from "../api/trainer-options.js";
import { toyModel } from "../toy/toy-model.js";
import { toySource } from "../toy/toy-source.js";
import { runToy, tapped, toyTrainer, trainOnly } from "../toy/toy-trainer.js";
import { useToyOutput } from "../toy/toy-output.js";
import type { Trainer } from "./trainer.js";

let output: string;
useToyOutput((folder) => {
  output = folder;
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/**
 * Eleven samples by twos, two micro-batches per step: three steps per epoch, six in all, evaluated after every second.
 */
const options: Partial<TrainerOptions> = {
  data: { train: toySource({ sampleCount: 11 }), evaluation: { held: toySource({ seed: 9, sampleCount: 3 }) } },
  training: {
    epochs: 2,
    microBatchSize: 2,
    gradientAccumulationSteps: 2,
    evaluateEverySteps: 2,
    saveEveryMinutes: null,
  },
};

async function metrics(folder: string): Promise<unknown[]> {
  const text = await readFile(join(folder, "metrics.jsonl"), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => {
      const { durationMs: _, times: _times, peakBytes: _bytes, ...rest } = JSON.parse(line) as Record<string, unknown>;
      return rest;
    });
}

/** Runs until it fails; returns the error, what `failed` was told, and the run folder. */
async function fail(given: Partial<TrainerOptions>) {
  let told: FailedContext | undefined;
  const listener = tapped("Listener", ({ hooks }) => {
    hooks.failed.tap("Listener", (context) => {
      told = context;
    });
  });
  const trainer = toyTrainer({ ...options, output, ...given, plugins: [...(given.plugins ?? []), listener] });
  const error: unknown = await trainer.run().then(
    () => undefined,
    (cause: unknown) => cause,
  );
  const [name] = (await readdir(output)).filter((entry) => entry.startsWith("run"));
  return { error: error as Error & { details?: { saved?: SavedState } }, told, folder: join(output, name!) };
}

/** A run that failed goes on to what a run without failure gives, bit for bit, with the same lines of metrics. */
async function expectEqualAfterResume(folder: string, given: Partial<TrainerOptions> = {}): Promise<void> {
  const whole = await runToy({ ...options, output: join(output, "whole"), ...given });
  const rest = await runToy({ ...options, output, resume: { from: folder }, ...given });
  expect(rest.summary).toMatchObject({ steps: whole.summary.steps, runFolder: folder });
  expect(rest.losses).toEqual(whole.losses.slice(whole.losses.length - rest.losses.length));
  expect(rest.parameters).toEqual(whole.parameters);
  expect(await metrics(folder)).toEqual(await metrics(whole.summary.runFolder!));
}

/**
 * A tap of `gradients` that changes nothing: with one, sums are divided before they are clipped, which rounds
 * otherwise.
 */
const watchGradients = (): Plugin =>
  tapped("Watch", ({ hooks }) => {
    hooks.gradients.tap("Watch", (gradients) => gradients);
  });

const throwing = (tap: (trainer: Trainer, boom: (step: number) => void) => void): Plugin =>
  tapped("Bad", (trainer) =>
    tap(trainer, (step) => {
      if (step === 3) throw new Error("boom");
    }),
  );

type StepHook = Extract<keyof TrainerHooks, string>;
/** Hooks of a step, and how many steps are whole when they fail in the fourth. */
const HOOKS: readonly (readonly [StepHook, number])[] = [
  ["beforeStep", 3],
  ["batch", 3],
  ["scope", 3],
  ["loss", 3],
  ["gradients", 3],
  ["afterStep", 4],
  ["collectMetrics", 4],
  ["shouldStop", 4],
];

describe("a run that fails", () => {
  it.each(HOOKS)("in a tap of %s leaves the state after %i steps, and goes on to the same end", async (hook, steps) => {
    const plugin = throwing(({ hooks }, boom) => {
      const type = hook === "collectMetrics" ? 1 : 0;
      (hooks[hook] as unknown as tf.Rank & { tap(name: string, fn: (...given: unknown[]) => unknown): void }).tap(
        "Bad",
        (...given) => {
          const context = given.find(
            (one): one is { step: number } => typeof (one as { step?: number }).step === "number",
          );
          boom(context!.step);
          return ["shouldStop", "beforeStep", "afterStep"].includes(hook) || type === 1 ? undefined : given[0];
        },
      );
    });
    const { error, told, folder } = await fail({ plugins: [plugin] });
    const saved = join(folder, `checkpoints/step-${steps}`);
    expect(error).toMatchObject({
      code: "THAW_CORE_PLUGIN_FAILED",
      details: { hook, saved: { step: steps, folder: saved } },
    });
    expect(error.message).toMatch(new RegExp(`boom.*The state after step ${steps} is saved in ${saved}\\.$`));
    expect(told).toMatchObject({ error, plugin: "Bad", hook, saved: { step: steps } });
    expect(await readdir(join(folder, "checkpoints"))).toEqual([`step-${steps}`]);
    await expectEqualAfterResume(folder, hook === "gradients" ? { plugins: [watchGradients()] } : {});
  });

  it("in an evaluation, or at the very end, loses no step", async () => {
    const inEvaluation = tapped("Bad", ({ hooks }) => {
      hooks.evaluated.tap("Bad", ({ step }) => {
        if (step === 4) throw new Error("boom");
      });
    });
    const first = await fail({ plugins: [inEvaluation] });
    expect(first.error.details?.saved).toMatchObject({ step: 4 });
    await expectEqualAfterResume(first.folder);
    await rm(first.folder, { recursive: true });
    const atEnd = tapped("Bad", ({ hooks }) => {
      hooks.done.tap("Bad", () => {
        throw new Error("boom");
      });
    });
    const last = await fail({ plugins: [atEnd] });
    expect(last.error.message).toContain(`What trained is whole, in ${join(last.folder, "final")}.`);
    expect(last.error.details?.saved).toEqual({ step: 6, folder: join(last.folder, "final") });
  });

  it("by a sample has done every step before that sample's, whatever was asked for ahead", async () => {
    const source = toySource({ sampleCount: 11 });
    const broken = (at: number): BatchSource => ({
      ...source,
      async *batches(given) {
        let index = given.skip ?? 0;
        for await (const batch of source.batches(given)) {
          if (given.epoch === 1 && index === at) throw Object.assign(new Error("sample 7 is broken"), {});
          index += 1;
          yield batch;
        }
      },
    });
    const { error, told, folder } = await fail({ data: { ...options.data, train: broken(2) } });
    // The third micro-batch of the second epoch is the first one of step 5
    expect(error.message).toBe("sample 7 is broken");
    expect(told?.saved).toEqual({ step: 4, folder: join(folder, "checkpoints/step-4") });
    await expectEqualAfterResume(folder);
  });

  it("at the edge of a phase leaves the state of the phase before", async () => {
    const phases = () => trainOnly([0, ["projector"]], [3, ["decoder"]]);
    const bad = throwing(({ hooks }, boom) => {
      hooks.loss.tap("Bad", (loss, { step }) => (boom(step), loss));
    });
    const { error, folder } = await fail({ plugins: [phases(), bad] });
    expect(error.details?.saved).toMatchObject({ step: 3 });
    await expectEqualAfterResume(folder, { plugins: [phases()] });
  });

  it("keeps the state of the other plugins, or says that it could not", async () => {
    const stateful = (isBroken: boolean) =>
      tapped("Stateful", ({ hooks }) => {
        hooks.checkpoint.tapPromise("Stateful", async (state, { step }) => {
          if (isBroken) throw new Error("no state");
          return { ...state, Stateful: step };
        });
      });
    const bad = () => throwing(({ hooks }, boom) => hooks.beforeStep.tap("Bad", ({ step }) => boom(step)));
    const kept = await fail({ plugins: [stateful(false), bad()] });
    const state = JSON.parse(await readFile(join(kept.folder, "checkpoints/step-3/state.json"), "utf8")) as object;
    expect(state).toMatchObject({ plugins: { Stateful: 3 } });
    await rm(kept.folder, { recursive: true });
    const lost = await fail({ plugins: [stateful(true), bad()] });
    expect(lost.error.message).toMatch(/saved in .*step-3 without what plugins keep \(.*no state.*\)\.$/);
    await expectEqualAfterResume(lost.folder);
  });
});

describe("a step that is not finite", () => {
  it("updates nothing, and the state before it is saved", async () => {
    const poison = tapped("Poison", ({ hooks }) => {
      hooks.gradients.tap("Poison", (gradients, { step }) =>
        step === 3 ? new Map([...gradients].map(([name, value]) => [name, tf.mul(value, Number.NaN)])) : gradients,
      );
    });
    const { error, folder } = await fail({ plugins: [poison] });
    expect(error).toMatchObject({ code: "THAW_CORE_NOT_FINITE", details: { saved: { step: 3 } } });
    await expectEqualAfterResume(folder, { plugins: [watchGradients()] });
  });

  it("that the update before it brought about saves nothing, and says what there is", async () => {
    const training = { ...options.training, learningRate: 1e38, optimizer: { clipNorm: null } };
    const { error, told, folder } = await fail({ training });
    expect(error).toMatchObject({ code: "THAW_CORE_NOT_FINITE" });
    expect(error.message).toMatch(/The state after step 1 is not saved: its loss .*\. The run has no checkpoint\.$/);
    expect(told?.saved).toBeUndefined();
    expect(await readdir(folder)).not.toContain("checkpoints");
  });
});

describe("an update that ends halfway", () => {
  it("is not saved", async () => {
    const torn = tapped("Torn", ({ hooks }) => {
      hooks.resolveOptimizer.tap("Torn", () => ({
        name: "torn",
        *update(parameters, gradients, { step }) {
          for (const [name, gradient] of gradients) {
            yield [name, tf.sub(parameters.get(name)!, gradient)] as const;
            if (step === 2) throw new Error("half");
          }
        },
        slots: () => new Map(),
        restore: () => {},
        drop: () => {},
        dispose: () => {},
      }));
    });
    const { error, told, folder } = await fail({
      plugins: [torn],
      training: { ...options.training, saveEverySteps: 1 },
    });
    expect(error.message).toBe("half");
    expect(told?.saved).toBeUndefined();
    expect((await readdir(join(folder, "checkpoints"))).toSorted()).toEqual(["step-1", "step-2"]);
  });
});

describe("a run folder that cannot be written any more", () => {
  it("makes the state go elsewhere, with the line that metrics lack", async () => {
    vi.stubEnv("TMPDIR", join(output, "tmp"));
    await mkdir(join(output, "tmp"));
    const blocker = tapped("Blocker", ({ hooks }) => {
      hooks.afterStep.tapPromise("Blocker", async ({ step, runFolder }) => {
        if (step !== 2) return;
        await writeFile(join(runFolder!, "checkpoints"), "in the way");
        throw new Error("boom");
      });
    });
    const { error, told, folder } = await fail({ plugins: [blocker] });
    const belongsTo = join(folder, "checkpoints/step-3");
    expect(told?.saved).toMatchObject({ step: 3, belongsTo });
    expect(error.message).toContain(`make room and move it to ${belongsTo}.`);
    await rm(join(folder, "checkpoints"));
    await mkdir(join(folder, "checkpoints"));
    await rename(told!.saved!.folder, belongsTo);
    await expectEqualAfterResume(folder);
  });

  it("ends the run with the newest checkpoint named where there is no other place", async () => {
    vi.stubEnv("TMPDIR", join(output, "missing"));
    const blocker = tapped("Blocker", ({ hooks }) => {
      hooks.afterStep.tapPromise("Blocker", async ({ step, runFolder }) => {
        if (step !== 3) return;
        const checkpoints = join(runFolder!, "checkpoints");
        await rename(checkpoints, `${checkpoints}-before`);
        await writeFile(checkpoints, "in the way");
      });
    });
    const { error, told } = await fail({
      plugins: [blocker],
      training: { ...options.training, saveEverySteps: 2 },
      model: toyModel(),
    });
    expect(error).toMatchObject({ code: "THAW_CORE_CHECKPOINT_UNWRITABLE" });
    expect(error.message).toMatch(/The state after step 4 is not saved: .*\. The run has no checkpoint\.$/);
    expect(told?.saved).toBeUndefined();
  });
});
