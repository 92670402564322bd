import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { openSafetensors, writeManifest } from "@thaw/safetensors";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { silentLogger } from "../api/logger.js";
import { defineOptimizer } from "../api/optimizer.js";
import { API_VERSION } from "../api/plugin.js";
import { defineSchedule } from "../schedules/schedule.js";
import { ElementwiseOptimizer } from "../optimize/elementwise.js";
import { OPTIMIZERS } from "../optimizers/list.js";
import { commonOptimizerShape } from "../optimizers/options.js";
import { SCHEDULES } from "../schedules/list.js";
import { commonScheduleShape } from "../schedules/options.js";
import { toyModel } from "../toy/toy-model.js";
import { toySource } from "../toy/toy-source.js";
import { runToy, tapped, toyTrainer, trainOnly } from "../toy/toy-trainer.js";
import { useToyOutput } from "../toy/toy-output.js";
import type { TrainerOptions } from "../api/trainer-options.js";
import { findCheckpoint } from "./read-checkpoint.js";
import { RunFolder } from "./run-folder.js";
import { writeFolder, writeState, writeTensors } from "./write-checkpoint.js";

let output: string;
useToyOutput((folder) => {
  output = folder;
});

const json = async (...path: string[]): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(join(...path), "utf8")) as Record<string, unknown>;
const metrics = async (folder: string) =>
  (await readFile(join(folder, "metrics.jsonl"), "utf8"))
    .trim()
    .split("\n")
    .map((line) => {
      const { durationMs: _, times: _times, peakBytes: _bytes, ...rest } = JSON.parse(line) as Record<string, unknown>;
      return rest;
    });
const stopAfter = (count: number) =>
  tapped("Stop", (trainer) => {
    trainer.hooks.afterStep.tap("Stop", ({ step }) => {
      if (step + 1 === count) trainer.stop("Ctrl-C");
    });
  });

/** Eleven samples by twos, three micro-batches per step: two steps per epoch, the second one short. */
const options: Partial<TrainerOptions> = {
  data: { train: toySource({ sampleCount: 11 }), evaluation: { held: toySource({ seed: 9, sampleCount: 3 }) } },
  training: {
    epochs: 4,
    microBatchSize: 2,
    gradientAccumulationSteps: 3,
    evaluateEverySteps: 3,
    schedule: { type: "cosine", warmupSteps: 1 },
    optimizer: { weightDecay: 0.1 },
  },
};

/** What a plugin may bring: parameters go to a share of what they were, by halves of the rate from step to step. */
const BROUGHT = {
  optimizers: [
    defineOptimizer({
      type: "half_steps",
      summary: "Shrinks all.",
      schema: z.strictObject({ type: z.literal("half_steps"), share: z.number(), ...commonOptimizerShape }),
      keeps: () => "nothing else",
      slots: () => ({}),
      make: ({ share }) =>
        new ElementwiseOptimizer({
          name: "half_steps",
          slots: [],
          scalars: ({ learningRate }) => ({ kept: tf.scalar(1 - share * learningRate) }),
          step: ({ parameter, scalars }) => ({ value: tf.mul(parameter, scalars["kept"]!), slots: [] }),
        }),
    }),
  ],
  schedules: [
    defineSchedule({
      type: "steps",
      summary: "Half of it after each step.",
      schema: z.strictObject({ type: z.literal("steps"), ...commonScheduleShape }),
      factor: (_, { step }) => 0.5 ** step,
    }),
  ],
};

describe("resume", () => {
  it.each([
    ...OPTIMIZERS.map(({ type }) => ({ optimizer: { type }, schedule: { type: "constant" } })),
    { optimizer: { type: "sgd", momentum: 0.9 }, schedule: { type: "constant" } },
    ...SCHEDULES.map(({ type }) => ({ optimizer: { type: "lion" }, schedule: { type, warmupSteps: 1 } })),
    { optimizer: { type: "half_steps", share: 0.25 }, schedule: { type: "steps" } },
  ])("goes on with $optimizer.type and the schedule $schedule.type", async (choice) => {
    const training = { ...options.training, epochs: 2, ...choice } as TrainerOptions["training"];
    const brought = { name: "Bring", apiVersion: API_VERSION, provides: BROUGHT, apply: () => undefined };
    const run = async (more: Partial<TrainerOptions>) =>
      runToy({ ...options, training, output, ...more, plugins: [brought, ...(more.plugins ?? [])] });
    const whole = await run({});
    const first = await run({ plugins: [stopAfter(2)] });
    const second = await run({ resume: { from: first.summary.runFolder! } });
    expect(new Set(whole.losses).size).toBe(4);
    expect([...first.losses, ...second.losses]).toEqual(whole.losses);
    expect(second.parameters).toEqual(whole.parameters);
  });

  it.each([1, 2, 3, 5, 7])("equals never stopped, bit for bit, when stopped after step %i", async (count) => {
    const whole = await runToy({ ...options, output });
    const first = await runToy({ ...options, output, plugins: [stopAfter(count)] });
    expect(first.summary).toMatchObject({ steps: count, isInterrupted: true, stopReason: "Ctrl-C" });
    const second = await runToy({ ...options, output, resume: { from: first.summary.runFolder! } });
    expect([...first.losses, ...second.losses]).toEqual(whole.losses);
    expect(second.parameters).toEqual(whole.parameters);
    expect(second.summary.runFolder).toBe(first.summary.runFolder);
    expect(second.summary).toMatchObject({
      steps: 8,
      epochs: 4,
      isInterrupted: false,
      tokens: whole.summary.tokens,
      firstLoss: whole.summary.firstLoss,
      lastLoss: whole.summary.lastLoss,
    });
    expect(second.summary.evaluations).toEqual(whole.summary.evaluations);
    expect(await metrics(second.summary.runFolder!)).toEqual(await metrics(whole.summary.runFolder!));
  });

  it("equals never stopped across phase edges", async () => {
    const plan = () => trainOnly([0, ["projector"]], [3, ["projector", "decoder"]], [6, ["tower"]]);
    const whole = await runToy({ ...options, plugins: [plan()] });
    for (const count of [3, 4, 6]) {
      const first = await runToy({ ...options, output, plugins: [plan(), stopAfter(count)] });
      const second = await runToy({
        ...options,
        output,
        plugins: [plan()],
        resume: { from: first.summary.runFolder! },
      });
      expect([...first.losses, ...second.losses]).toEqual(whole.losses);
      expect(second.parameters).toEqual(whole.parameters);
    }
  });

  it("brings plugin state back by name", async () => {
    const brought: unknown[] = [];
    const stateful = (count: number) =>
      tapped("Stateful", ({ hooks }) => {
        hooks.checkpoint.tapPromise("Stateful", async (state, { step }) => ({ ...state, Stateful: { count, step } }));
        hooks.restored.tap("Stateful", (state, { step }) => {
          brought.push(state, step);
        });
      });
    const first = await runToy({ ...options, output, plugins: [stateful(7), stopAfter(2)] });
    await runToy({ ...options, output, plugins: [stateful(8)], resume: { from: first.summary.runFolder! } });
    expect(brought).toEqual([{ Stateful: { count: 7, step: 2 } }, 2]);
  });

  it("goes on in a new folder from a checkpoint that is not the latest, or of a finished run", async () => {
    const training = { ...options.training, saveEverySteps: 2 };
    const whole = await runToy({ ...options, training, output });
    const folder = whole.summary.runFolder!;
    expect((await readdir(join(folder, "checkpoints"))).toSorted()).toEqual(["step-2", "step-4", "step-6", "step-8"]);
    const again = await runToy({ ...options, training, output, resume: { from: join(folder, "checkpoints/step-4") } });
    expect(again.summary.runFolder).not.toBe(folder);
    expect(again.parameters).toEqual(whole.parameters);
    const longer = await runToy({ ...options, training: { ...training, epochs: 5 }, output, resume: { from: folder } });
    expect(longer.summary.steps).toBe(10);
    expect([folder, again.summary.runFolder]).not.toContain(longer.summary.runFolder);
  });

  it("refuses another plan with a table, and goes on with it when told to", async () => {
    const first = await runToy({ ...options, output, plugins: [trainOnly([0, ["projector"]]), stopAfter(2)] });
    const from = first.summary.runFolder!;
    const refused = toyTrainer({ ...options, output, plugins: [trainOnly([0, ["decoder"]])], resume: { from } });
    const { findings } = await refused.plan();
    expect(findings).toMatchObject([{ rule: "resume-with-another-plan", severity: "error" }]);
    expect(findings[0]!.message).toContain(
      "0          projector  2 parameters, projector.linear.bias first  train   frozen",
    );
    await expect(refused.run()).rejects.toMatchObject({ code: "THAW_CORE_PLAN_REFUSED" });
    const accepted = await runToy({
      ...options,
      output,
      plugins: [trainOnly([0, ["decoder"]])],
      resume: { from, acceptPlanChange: true },
    });
    expect(accepted.parameters.get("projector.linear.bias")).toEqual(first.parameters.get("projector.linear.bias"));
    expect(accepted.summary.findings).toMatchObject([{ severity: "note" }]);
    const reader = await openSafetensors(join(accepted.summary.runFolder!, "final/trained.safetensors"));
    expect([...reader.entries.keys()].some((name) => name.startsWith("projector"))).toBe(true);
    await reader.close();
  });

  it("refuses other data, another seed and other frozen weights", async () => {
    const plugins = () => [trainOnly([0, ["projector"]])];
    const first = await runToy({ ...options, output, plugins: [...plugins(), stopAfter(2)] });
    const resume = { from: first.summary.runFolder! };
    await expect(
      toyTrainer({
        ...options,
        output,
        plugins: plugins(),
        resume,
        seed: 6,
        training: { ...options.training, microBatchSize: 3 },
      }).run(),
    ).rejects.toMatchObject({
      code: "THAW_CORE_RESUME_MISMATCH",
      details: { what: ["seed was 5 and is 6", "training.microBatchSize was 2 and is 3"] },
    });
    await expect(
      toyTrainer({ ...options, output, plugins: plugins(), resume, model: toyModel({ seed: 2 }) }).run(),
    ).rejects.toMatchObject({ code: "THAW_CORE_BASE_CHANGED" });
    await runToy({ ...options, output, plugins: plugins(), resume });
  });

  it("compares the data by content, says what differs, and goes on where that is accepted", async () => {
    const source = (identity: Readonly<Record<string, string>>) => ({ ...toySource({ sampleCount: 11 }), identity });
    const before = {
      "samples 1 to 4": "a",
      "images of samples 1 to 4": "b",
      "the tokenizer or the chat template": "c",
    };
    const training = { ...options.training, keep: 99 };
    const first = await runToy({
      ...options,
      output,
      training,
      data: { train: source(before) },
      plugins: [stopAfter(2)],
    });
    const from = first.summary.runFolder!;
    const warnings: string[] = [];
    const resumed = (identity: Readonly<Record<string, string>>, acceptDataChange = false) =>
      toyTrainer({
        ...options,
        output,
        data: { train: source(identity) },
        training,
        resume: { from: join(from, "checkpoints/step-2"), acceptDataChange },
        logger: { ...silentLogger, warn: (_: object | string, line?: string) => void warnings.push(line ?? "") },
      }).run();
    await expect(
      resumed({ ...before, "samples 1 to 4": "x", "the tokenizer or the chat template": "y" }),
    ).rejects.toMatchObject({
      code: "THAW_CORE_RESUME_DATA",
      details: { what: ["samples 1 to 4", "the tokenizer or the chat template"] },
      message: expect.stringContaining("--accept-data-change"),
    });
    await resumed({ ...before, "images of samples 1 to 4": "x" });
    await resumed({ ...before, "samples 1 to 4": "x" }, true);
    expect(warnings).toEqual(
      ["images of samples 1 to 4", "samples 1 to 4"].map(
        (what) => `The training data is not what it was when the checkpoint was made; different: ${what}.`,
      ),
    );
    await resumed({});
  });

  it("says so where there is no checkpoint or a broken one", async () => {
    await expect(findCheckpoint(output)).rejects.toMatchObject({ code: "THAW_CORE_CHECKPOINT_NOT_FOUND" });
    const folder = join(output, "checkpoints/step-3");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "state.json"), "{ half");
    await expect(findCheckpoint(output)).rejects.toMatchObject({ code: "THAW_CORE_CHECKPOINT_DAMAGED" });
    await writeManifest(folder, {
      "state.json": await writeState(folder, { version: 99, step: 3 }),
      "trained.safetensors": await writeTensors(join(folder, "trained.safetensors"), new Map()),
      "optimizer.safetensors": await writeTensors(join(folder, "optimizer.safetensors"), new Map()),
    });
    await expect(findCheckpoint(output)).rejects.toMatchObject({
      code: "THAW_CORE_CHECKPOINT_BROKEN",
      message: expect.stringContaining("its version is 99"),
    });
  });
});

describe("the run folder", () => {
  it("holds config, plan, metrics, checkpoints, what trained and the summary, and nothing temporary", async () => {
    const { summary } = await runToy({
      ...options,
      output,
      runName: "my run/1",
      config: { model: "x" },
      training: { ...options.training, saveEverySteps: 5 },
      plugins: [
        trainOnly([0, ["projector"]]),
        tapped("Note", ({ hooks }) => {
          hooks.done.tap("Note", ({ lines, numbers }) => {
            lines.push("a line");
            numbers.saved = 2;
          });
          hooks.collectMetrics.tap("Note", ({ add }) => {
            add("cache/hits", 3);
          });
        }),
      ],
    });
    const folder = summary.runFolder!;
    expect(folder).toMatch(/\/my-run-1-\d{8}-\d{6}$/);
    expect((await readdir(folder, { recursive: true })).toSorted()).toEqual([
      "checkpoints",
      "checkpoints/step-5",
      "checkpoints/step-5/optimizer.safetensors",
      "checkpoints/step-5/state.json",
      "checkpoints/step-5/thaw-manifest.json",
      "checkpoints/step-5/trained.safetensors",
      "config.json",
      "events.jsonl",
      "final",
      "final/thaw-manifest.json",
      "final/trained.safetensors",
      "metrics.jsonl",
      "plan.json",
      "summary.json",
      "thaw-manifest.json",
    ]);
    expect(await json(folder, "config.json")).toEqual({ model: "x" });
    expect((await json(folder, "plan.json")).hash).toBe((await json(folder, "checkpoints/step-5/state.json")).planHash);
    expect(await json(folder, "summary.json")).toMatchObject({
      steps: 8,
      lines: [
        expect.stringMatching(/^Activation checkpointing: off/),
        expect.stringMatching(/^Memory of a step: /),
        expect.stringMatching(/^Time of /),
        "a line",
      ],
      numbers: { saved: 2 },
    });
    const reader = await openSafetensors(join(folder, "final/trained.safetensors"));
    expect([...reader.entries.keys()].toSorted()).toEqual(["projector.linear.bias", "projector.linear.weight"]);
    await reader.close();
    const lines = await metrics(folder);
    expect(lines.filter(({ event }) => event === "step").map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(lines[0]).toMatchObject({ event: "evaluated", step: 0, name: "held" });
    expect(lines[1]).toMatchObject({
      event: "step",
      step: 1,
      epoch: 0,
      learningRates: { projector: 0 },
      metrics: { "cache/hits": 3 },
    });
  });

  it("is never one that exists", async () => {
    const now = new Date(2026, 0, 2, 3, 4, 5);
    const paths = [
      await RunFolder.create(output, "run", now),
      await RunFolder.create(output, "run", now),
      await RunFolder.create(output, "../..", now),
    ].map(({ path }) => path);
    expect(paths).toEqual(
      ["run-20260102-030405", "run-20260102-030405-2", "run-20260102-030405-3"].map((name) => join(output, name)),
    );
  });

  it("that cannot be made ends the run before a weight is read", async () => {
    await writeFile(join(output, "file"), "");
    const model = {
      ...toyModel(),
      load: () => {
        throw new Error("read");
      },
    };
    await expect(toyTrainer({ model, output: join(output, "file/below") }).run()).rejects.toMatchObject({
      code: "THAW_CORE_RUN_FOLDER_UNWRITABLE",
    });
  });

  it("vanishes when the run fails before its first step, and stays when it fails later", async () => {
    const bad = (at: number) =>
      tapped("Bad", ({ hooks }) => {
        hooks.beforeStep.tap("Bad", ({ step }) => {
          if (step === at) throw new Error("bad");
        });
      });
    await expect(toyTrainer({ ...options, output, plugins: [bad(0)] }).run()).rejects.toThrow("bad");
    expect(await readdir(output)).toEqual([]);
    await expect(
      toyTrainer({ ...options, output, plugins: [bad(2)], training: { ...options.training, saveEverySteps: 1 } }).run(),
    ).rejects.toThrow("bad");
    const [name] = await readdir(output);
    const { state } = await findCheckpoint(join(output, name!));
    expect(state.step).toBe(2);
  });

  it("gets no half checkpoint when the disk is full", async () => {
    const run = await RunFolder.create(output, "full", new Date());
    const failing = writeFolder(run, "checkpoints/step-1", async (folder) => {
      await writeFile(join(folder, "a"), "half");
      await writeFile("/dev/full", "x");
      return {};
    });
    await expect(failing).rejects.toMatchObject({ code: "THAW_CORE_CHECKPOINT_UNWRITABLE", cause: { code: "ENOSPC" } });
    expect(await readdir(join(run.path, "checkpoints"))).toEqual([]);
  });

  it("keeps a checkpoint that is there", async () => {
    const run = await RunFolder.create(output, "run", new Date());
    const write = (text: string) => async (folder: string) => {
      await writeFile(join(folder, "a"), text);
      return {};
    };
    await writeFolder(run, "checkpoints/step-1", write("first"));
    await writeFolder(run, "checkpoints/step-1", write("second"));
    expect(await readFile(run.file("checkpoints/step-1/a"), "utf8")).toBe("first");
  });
});
