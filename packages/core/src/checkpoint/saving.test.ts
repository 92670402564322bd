import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { TrainingOptions } from "../api/options.js";
import type { Logger } from "../api/logger.js";
import { toySource } from "../toy/toy-source.js";
import { runToy, tapped, toyTrainer } from "../toy/toy-trainer.js";
import { useToyOutput } from "../toy/toy-output.js";
import { checkSpace, freeBytes, spaceNeed } from "./disk-space.js";
import { findCheckpoint } from "./read-checkpoint.js";
import { savingText } from "./saving.js";

let output: string;
useToyOutput((folder) => {
  output = folder;
});

/** Two steps per epoch. */
async function checkpoints(training: TrainingOptions): Promise<readonly string[]> {
  const { summary } = await runToy({
    output,
    data: { train: toySource({ sampleCount: 8 }) },
    training: { epochs: 4, ...training },
  });
  return (await readdir(join(summary.runFolder!, "checkpoints")).catch(() => [])).toSorted();
}

function linesOf(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const add = (_: object | string, message = ""): void => void lines.push(message);
  return { logger: { debug: () => {}, info: add, warn: add, error: add }, lines };
}

describe("checkpoints", () => {
  it("are made at the end of each epoch but the last, and the newest two stay", async () => {
    expect(await checkpoints({})).toEqual(["step-4", "step-6"]);
    expect(await checkpoints({ epochs: 1 })).toEqual([]);
    expect(await checkpoints({ keep: 1 })).toEqual(["step-6"]);
    expect(await checkpoints({ keep: 9 })).toEqual(["step-2", "step-4", "step-6"]);
  });

  it("are made by time, or by steps, or where the run ends early alone", async () => {
    expect(await checkpoints({ epochs: 2, saveEveryMinutes: 1e-9, keep: 9 })).toEqual(["step-1", "step-2", "step-3"]);
    expect(await checkpoints({ saveEverySteps: 3 })).toEqual(["step-3", "step-6"]);
    expect(await checkpoints({ saveEverySteps: 1, keep: 3 })).toEqual(["step-6", "step-7", "step-8"]);
    expect(await checkpoints({ saveEveryMinutes: null })).toEqual([]);
  });

  it("are made where a metric is better than ever, and the best one stays", async () => {
    // After steps 1, 2, ...: of both, the second is the lowest and the fourth the highest.
    const values = [9, 3, 4, 8, 1, 9, 5, 5, 5];
    const evaluators = [
      {
        name: "scores",
        better: { error: "lower", quality: "higher", late: "higher" },
        evaluate: (_: unknown, { step }: { readonly step: number }) =>
          Promise.resolve({ error: values[step]!, quality: values[step]!, late: step }),
      } as const,
    ];
    const data = { train: toySource({ sampleCount: 8 }), evaluation: { held: toySource({ seed: 9, sampleCount: 3 }) } };
    const training = { epochs: 4, evaluateEverySteps: 1, saveEveryMinutes: null } as const;
    const run = async (keep: TrainingOptions["keep"], more: Parameters<typeof runToy>[0] = {}) => {
      const { summary } = await runToy({ output, data, evaluators, ...more, training: { ...training, keep } });
      const stay = await readdir(join(summary.runFolder!, "checkpoints")).catch(() => []);
      return { summary, stay: stay.toSorted() };
    };
    const lowest = await run({ last: 1, best: "error" });
    expect(lowest.stay).toEqual(["step-4"]);
    expect(lowest.summary.best).toEqual({
      evaluation: "scores",
      metric: "error",
      value: 1,
      step: 4,
      folder: join(lowest.summary.runFolder!, "checkpoints", "step-4"),
    });
    expect((await run({ best: { evaluation: "scores", metric: "quality" } })).stay).toEqual(["step-3", "step-5"]);
    // Where the last step is the best one, its weights are in final/.
    const last = await run({ last: 1, best: "late" });
    expect(last.summary.best).toMatchObject({ step: 8, folder: join(last.summary.runFolder!, "final") });
    // A run that is stopped and goes on remembers its best one, and leaves it where it is.
    const stop = tapped("Stop", (trainer) => {
      trainer.hooks.afterStep.tap("Stop", ({ step }) => {
        if (step === 5) trainer.stop("enough");
      });
    });
    const first = await run({ last: 1, best: "error" }, { plugins: [stop] });
    expect(first.stay).toEqual(["step-4", "step-6"]);
    const rest = await run({ last: 1, best: "error" }, { resume: { from: first.summary.runFolder! } });
    expect([rest.stay, rest.summary.best?.step]).toEqual([["step-4", "step-6"], 4]);
    // So does one that is branched into another folder, where its own are no better, and one that goes on with that.
    const from = join(first.summary.runFolder!, "checkpoints", "step-4");
    const branch = await run({ last: 1, best: "error" }, { resume: { from }, plugins: [stop] });
    expect(branch.summary.runFolder).not.toBe(first.summary.runFolder);
    expect(branch.summary.best).toEqual({ ...rest.summary.best, folder: from });
    const onward = await run({ last: 1, best: "error" }, { resume: { from: branch.summary.runFolder! } });
    expect(onward.summary.best).toEqual(branch.summary.best);
    await rm(from, { recursive: true });
    const later = join(branch.summary.runFolder!, "checkpoints", "step-6");
    const alone = await run({ last: 1, best: "error" }, { resume: { from: later } });
    expect(alone.summary.best).toMatchObject({ step: 6, value: 5, folder: later });
    const { findings } = await toyTrainer({ data, evaluators, training: { ...training, keep: { best: "f1" } } }).plan();
    expect(findings).toMatchObject([{ rule: "stop-rule-unmeasured", settings: [{ path: "training.keep.best" }] }]);
    expect(savingText({ saveEverySteps: 10, keep: { last: 2, best: "token_f1" } })).toBe(
      "Checkpoints are saved every 10 steps and where tokenF1 is better than ever, and where the run ends early; the " +
        "newest 2 stay, and the best one.",
    );
  });

  it("that are kept lead to the same end", async () => {
    const options = { output, data: { train: toySource({ sampleCount: 8 }) } };
    const whole = await runToy({ ...options, training: { epochs: 4 } });
    const stop = tapped("Stop", (trainer) => {
      trainer.hooks.afterStep.tap("Stop", ({ step }) => {
        if (step === 6) trainer.stop("enough");
      });
    });
    const first = await runToy({ ...options, training: { epochs: 4 }, plugins: [stop] });
    const folder = first.summary.runFolder!;
    expect((await readdir(join(folder, "checkpoints"))).toSorted()).toEqual(["step-6", "step-7"]);
    expect((await findCheckpoint(folder)).state.step).toBe(7);
    const rest = await runToy({ ...options, training: { epochs: 4 }, resume: { from: folder } });
    expect(rest.parameters).toEqual(whole.parameters);
  });

  it("are announced before the first step, with their size and what is free", async () => {
    const { logger, lines } = linesOf();
    await toyTrainer({ output, logger }).run();
    expect(lines[0]).toMatch(
      new RegExp(
        "^Checkpoints are saved every 15 minutes and at the end of each epoch, and where the run ends early; the " +
          String.raw`newest 2 stay\. One takes some [\d.]+ [kM]?B; [\d.]+ [kMGT]B are free\.$`,
      ),
    );
    expect(savingText({ saveEverySteps: 1, keep: 1 })).toBe(
      "Checkpoints are saved after every step, and where the run ends early; the newest one stays.",
    );
    expect(savingText({ saveEverySteps: 10, saveEveryMinutes: 1, keep: undefined })).toBe(
      "Checkpoints are saved every 10 steps and every minute, and where the run ends early; all stay.",
    );
    expect(savingText({ saveEveryMinutes: null })).toBe(
      "A checkpoint is saved where the run ends early, and no other.",
    );
  });
});

describe("the room on the disk", () => {
  it("is compared with what is written, before a weight is read", async () => {
    const { planHash: _, isRefused: __, ...planned } = await toyTrainer({ output }).plan();
    const need = spaceNeed({ ...planned, planHash: "" }, 6);
    const values = planned.parameters.reduce(
      (sum, { shape }) => sum + 4 * shape.reduce((all, size) => all * size, 1),
      0,
    );
    expect(need.finalBytes).toBe(values);
    expect(need.checkpointBytes).toBeGreaterThan(3 * values);
    expect(need.leastBytes).toBe(need.finalBytes + need.checkpointBytes);
    const free = (await freeBytes(join(output, "not", "there")))!;
    const huge = {
      ...planned,
      planHash: "",
      parameters: planned.parameters.map((parameter) => ({ ...parameter, shape: [free, 1] })),
    };
    const { logger, lines } = linesOf();
    await expect(checkSpace(output, huge, 6, logger)).rejects.toMatchObject({
      code: "THAW_CORE_DISK_TOO_SMALL",
      details: { folder: output },
    });
    const each = free / 4 / 6 / planned.parameters.length;
    const tight = { ...huge, parameters: huge.parameters.map((parameter) => ({ ...parameter, shape: [each, 1] })) };
    await checkSpace(output, tight, 6, logger);
    expect(lines.at(-1)).toContain("Make room, or keep fewer of them (training.keep).");
    await checkSpace(undefined, huge, 6, logger);
  });
});
