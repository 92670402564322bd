import { appendFile, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Evaluator } from "../api/run-options.js";
import { RunFolder } from "../checkpoint/run-folder.js";
import { toySource } from "../toy/toy-source.js";
import { tapped, toyTrainer } from "../toy/toy-trainer.js";
import { useToyOutput } from "../toy/toy-output.js";
import type { TrainerOptions } from "../api/trainer-options.js";
import { eventNumbers } from "./metrics-line.js";
import { readLog, readMetrics, readSamples } from "./run-log.js";
import { RunLogFiles } from "./run-log-files.js";
import type { RunEvent, SampleEvent } from "./run-event.js";

let output: string;
useToyOutput((folder) => {
  output = folder;
});

const PICTURE = { type: "image/png", bytes: new Uint8Array([1, 2, 3]) } as const;
const sampleAt = (step: number): SampleEvent => ({
  event: "sample",
  step,
  name: "answers",
  index: 4,
  id: "four",
  texts: { reference: "b", answer: "a" },
  numbers: { tokenF1: 0 },
  images: [PICTURE],
});
const answers: Evaluator = {
  name: "answers",
  evaluate: async (_session, { record, step }) => {
    await record({ event: "baseline", step, name: "answers", baseline: "majority", metrics: { f1: 0.5 }, text: "b" });
    await record(sampleAt(step));
    return { f1: 0.25 };
  },
};
const options: Partial<TrainerOptions> = {
  data: { train: toySource({ sampleCount: 8 }), evaluation: { held: toySource({ seed: 9, sampleCount: 2 }) } },
  training: { maxSteps: 4, microBatchSize: 2, saveEverySteps: 2 },
};

/** What an event is, in a word: `evaluated held@2`. */
const word = (event: RunEvent): string => `${event.event}${"name" in event ? ` ${event.name}` : ""}@${event.step}`;

describe("the stream of a run's events", () => {
  it("tells programs, taps and the run folder the same, in order", async () => {
    const told: string[] = [];
    const plugin = tapped("Listener", ({ hooks, logger }) => {
      hooks.record.tap("Listener", (event, { name, seed, model }) => {
        told.push(word(event));
        expect([name, seed, model]).toEqual([expect.stringMatching(/^run-/), 5, "the toy"]);
      });
      hooks.collectMetrics.tap("Listener", ({ add }, { step }) => {
        add("mine", step);
        if (step === 1) logger.warn({ step }, "Look here.");
      });
    });
    const trainer = toyTrainer({ ...options, output, evaluators: [answers], plugins: [plugin] });
    const iterated: RunEvent[] = [];
    const reading = (async () => {
      for await (const event of trainer.events()) iterated.push(event);
    })();
    const { runFolder } = await trainer.run();
    await reading;
    const evaluated = (step: number): string[] =>
      ["evaluated held", "baseline answers", "sample answers", "evaluated answers"].map((name) => `${name}@${step}`);
    expect(told).toEqual([
      "started@0",
      ...evaluated(0),
      "step@1",
      "warning@1",
      "step@2",
      "checkpoint@2",
      "step@3",
      "step@4",
      "checkpoint@4",
      ...evaluated(4),
      "done@4",
    ]);
    expect(iterated.map(word)).toEqual(told);
    const lines = await readMetrics(runFolder!);
    expect(lines).toEqual(
      iterated.filter(({ event }) => event === "step" || event === "evaluated" || event === "baseline"),
    );
    expect(lines.find(({ event }) => event === "step")).toMatchObject({
      gradientNorms: { projector: expect.any(Number) as number },
      updateRatios: { projector: expect.any(Number) as number },
      metrics: { mine: 0 },
    });
    expect(await readSamples(runFolder!)).toMatchObject(
      [0, 4].map((step) => ({ ...sampleAt(step), images: [/^samples/] })),
    );
    expect(await readdir(join(runFolder!, "samples"))).toHaveLength(1);
    expect((await readLog(runFolder!)).map(({ event, step }) => `${event}@${step}`)).toEqual([
      "started@0",
      "warning@1",
      "checkpoint@2",
      "checkpoint@4",
      "done@4",
    ]);
  });

  it("measures gradients and updates of each component: together they are those of the run", async () => {
    const { events } = await collect({ ...options, training: { maxSteps: 2, microBatchSize: 2 } });
    const [first, second] = events.filter((event) => event.event === "step");
    const together = Math.sqrt(Object.values(first!.gradientNorms!).reduce((sum, norm) => sum + norm ** 2, 0));
    expect(together).toBeCloseTo(first!.gradientNorm, 5);
    for (const ratio of Object.values(first!.updateRatios!)) expect(ratio).toBeGreaterThan(0);
    expect(Object.keys(first!.updateRatios!)).toEqual(Object.keys(first!.gradientNorms!));
    expect(second!.updateRatios).toBeUndefined();
    expect(eventNumbers(first!)).toMatchObject({ loss: first!.loss, "gradient_norm/projector": expect.any(Number) });
  });

  it("ends with the failure of a run that fails, and with the reason of a signal that stops it", async () => {
    const failing = tapped("Bad", ({ hooks }) => {
      hooks.afterStep.tap("Bad", () => {
        throw new Error("no");
      });
    });
    const failed = await collect({ ...options, output, plugins: [failing] });
    expect(failed.events.at(-1)).toMatchObject({
      event: "failed",
      step: 0,
      code: "THAW_CORE_PLUGIN_FAILED",
      saved: { step: 1 },
    });
    const controller = new AbortController();
    const aborting = tapped("Abort", ({ hooks }) => {
      hooks.afterStep.tap("Abort", () => {
        controller.abort(new Error("enough"));
      });
    });
    const stopped = await collect({ ...options, plugins: [aborting], signal: controller.signal });
    expect(stopped.events.at(-1)).toMatchObject({
      event: "done",
      summary: { isInterrupted: true, stopReason: "enough" },
    });
    const never = await collect({ ...options, signal: AbortSignal.abort("not now") });
    expect(never.events.map(word)).toEqual(["started@0", "done@0"]);
  });

  it("ends for who stops listening, and the run goes on", async () => {
    const trainer = toyTrainer(options);
    const reading = (async () => {
      for await (const event of trainer.events()) if (event.event === "step") return event.step;
      return 0;
    })();
    expect((await trainer.run()).steps).toBe(4);
    expect(await reading).toBe(1);
  });

  it("goes on with its files where a run is resumed, without what is made again", async () => {
    const stopped = toyTrainer({ ...options, output, evaluators: [answers] });
    stopped.hooks.afterStep.tap("Stop", ({ step }) => {
      if (step === 2) stopped.stop("enough");
    });
    const folder = (await stopped.run()).runFolder!;
    // As a process leaves them that dies after its last checkpoint
    const lines = (await readFile(join(folder, "metrics.jsonl"), "utf8")).trimEnd().split("\n");
    const later = JSON.stringify({ ...(JSON.parse(lines.at(-1)!) as object), step: 4 });
    await writeFile(join(folder, "metrics.jsonl"), [...lines, later, ""].join("\n"));
    await appendFile(join(folder, "samples.jsonl"), `${JSON.stringify({ ...sampleAt(4), images: [] })}\n`);
    const resumed = toyTrainer({ ...options, output, evaluators: [answers], resume: { from: folder } });
    await resumed.run();
    const steps = (await readMetrics(folder)).filter(({ event }) => event === "step").map(({ step }) => step);
    expect(steps).toEqual([1, 2, 3, 4]);
    expect((await readSamples(folder)).map(({ step }) => step)).toEqual([0, 4]);
    expect((await readLog(folder)).filter(({ event }) => event === "started")).toMatchObject([
      { step: 0, environment: { node: process.version } },
      { step: 3, resumedFrom: join(folder, "checkpoints", "step-3") },
    ]);
  });

  it("drops half a line and lines after the checkpoint when its files are taken up again", async () => {
    const run = await RunFolder.create(output, "run", new Date());
    const numbers = { epoch: 0, loss: 2, gradientNorm: 1, learningRates: { default: 0.1 }, durationMs: 5 };
    const first = { event: "step", step: 1, ...numbers, supervisedTokens: 3, tokens: 4 } as const;
    const lines = [first, { ...first, step: 2 }, { ...first, durationMs: undefined }];
    await writeFile(run.file("metrics.jsonl"), `${lines.map((line) => JSON.stringify(line)).join("\n")}\n{"event":"st`);
    const files = await RunLogFiles.open(run, 1, {});
    const evaluated = { event: "evaluated", step: 1, epoch: 0, name: "held", metrics: { loss: Number.NaN } } as const;
    await files.record(evaluated);
    await files.close();
    expect(await readMetrics(run.path)).toEqual([first, evaluated]);
    expect(await readMetrics(run.path, 0)).toEqual([]);
    await expect(files.record({ ...evaluated, step: 2 })).rejects.toMatchObject({
      code: "THAW_CORE_RUN_FOLDER_UNWRITABLE",
    });
  });
});

/** The events of a run, and what it failed with. */
async function collect(given: Partial<TrainerOptions>): Promise<{ readonly events: readonly RunEvent[] }> {
  const trainer = toyTrainer(given);
  const events: RunEvent[] = [];
  const reading = (async () => {
    for await (const event of trainer.events()) events.push(event);
  })();
  await trainer.run().catch(() => undefined);
  await reading;
  return { events };
}
