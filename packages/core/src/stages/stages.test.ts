import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { openSafetensors } from "@thaw/safetensors";
import { describe, expect, it } from "vitest";
import type { Plugin } from "../api/plugin.js";
import { toyModel } from "../toy/toy-model.js";
import { toySource } from "../toy/toy-source.js";
import { runToy, tapped, trainOnly } from "../toy/toy-trainer.js";
import { useToyOutput } from "../toy/toy-output.js";
import { memoryEnsembles } from "../ensemble/memory-ensemble.js";
import type { TrainerOptions } from "../api/trainer-options.js";
import { runStages, type Stage, type StageContext, type StagesOptions, type StagesSummary } from "./run-stages.js";

let output: string;
useToyOutput((folder) => {
  output = folder;
});

interface Log {
  readonly opened: string[];
  readonly losses: number[];
  readonly parameters: Map<string, Float32Array>;
}
const newLog = (): Log => ({ opened: [], losses: [], parameters: new Map() });

function stage(
  name: string,
  trains: readonly string[],
  log: Log,
  plugins: readonly Plugin[] = [],
  changed: TrainerOptions["training"] = {},
): Stage {
  return {
    name,
    open: async (purpose) => {
      log.opened.push(`${purpose} ${name}`);
      const model = toyModel();
      const recorder = tapped("Recorder", ({ hooks }) => {
        hooks.afterStep.tap("Recorder", ({ loss }) => {
          log.losses.push(loss);
        });
        hooks.done.tapPromise("Recorder", async (_, { readParameter }) => {
          for (const { name: parameter } of model.parameters)
            log.parameters.set(parameter, await readParameter(parameter));
        });
      });
      const training = { maxSteps: 3, microBatchSize: 4, learningRate: 0.05, deadGradientSteps: null, ...changed };
      return {
        options: {
          model,
          data: { train: toySource() },
          seed: 5,
          training,
          plugins: [trainOnly([0, trains]), recorder, ...plugins],
          config: { stage: name },
        },
        close: async () => {
          log.opened.push(`close ${name}`);
        },
      };
    },
  };
}

const two = (log: Log, plugins: readonly Plugin[] = [], changed?: TrainerOptions["training"]): readonly Stage[] => [
  stage("align", ["projector"], log, [], changed),
  stage("instruct", ["decoder"], log, plugins, changed),
];
const tree = async (folder: string): Promise<readonly string[]> =>
  (await readdir(folder, { recursive: true }))
    .filter((name) => name.endsWith(".json") || name.endsWith("safetensors"))
    .toSorted();

describe("runStages", () => {
  it("hands over what was trained, and writes a folder for each stage", async () => {
    const log = newLog();
    const begun: Omit<StageContext, "trainer">[] = [];
    const summary = await runStages({
      stages: two(log),
      output,
      runName: "recipe",
      onStage: ({ name, index, count, isResumed, runFolder: folder }) => {
        begun.push({ name, index, count, isResumed, runFolder: folder });
      },
      afterStage: async ({ name }, { steps }) => {
        log.opened.push(`after ${name} of ${steps}`);
      },
    });
    const { runFolder } = summary;
    expect(begun).toEqual([
      { name: "align", index: 0, count: 2, isResumed: false, runFolder },
      { name: "instruct", index: 1, count: 2, isResumed: false, runFolder },
    ]);
    expect(log.opened).toEqual([
      "plan align",
      "close align",
      "plan instruct",
      "close instruct",
      "run align",
      "after align of 3",
      "close align",
      "run instruct",
      "after instruct of 3",
      "close instruct",
    ]);
    expect(basename(runFolder)).toMatch(/^recipe-\d{8}-\d{6}$/);
    expect(summary.stages.map(({ name, folder, summary: own }) => [name, basename(folder), own?.steps])).toEqual([
      ["align", "1-align", 3],
      ["instruct", "2-instruct", 3],
    ]);
    expect(await tree(runFolder)).toEqual([
      ...["1-align", "2-instruct"].flatMap((name) =>
        [
          "config.json",
          "final/thaw-manifest.json",
          "final/trained.safetensors",
          "plan.json",
          "summary.json",
          "thaw-manifest.json",
        ].map((file) => `${name}/${file}`),
      ),
      "stages.json",
    ]);
    const { stages } = JSON.parse(await readFile(join(runFolder, "stages.json"), "utf8")) as {
      stages: { name: string; config: unknown }[];
    };
    expect(stages).toMatchObject([
      { name: "align", folder: "1-align", config: { stage: "align" } },
      { name: "instruct", folder: "2-instruct", config: { stage: "instruct" } },
    ]);

    const first = await runToy({ plugins: [trainOnly([0, ["projector"]])], training: { maxSteps: 3 }, output });
    const second = await runToy({
      plugins: [trainOnly([0, ["decoder"]])],
      training: { maxSteps: 3 },
      startFrom: join(first.summary.runFolder!, "final/trained.safetensors"),
    });
    expect(log.losses).toEqual([...first.losses, ...second.losses]);
    expect(log.parameters).toEqual(second.parameters);
    const reader = await openSafetensors(join(runFolder, "2-instruct/final/trained.safetensors"));
    expect([...reader.entries.keys()].filter((name) => name.startsWith("projector"))).toHaveLength(2);
    await reader.close();
  });

  it("goes on where it was stopped, and does not run a finished stage again", async () => {
    const whole = newLog();
    await runStages({ stages: two(whole), output });
    for (const [stopped, at, runs] of [
      ["align", 0, "run align,run instruct"],
      ["align", 2, "run instruct"],
      ["instruct", 0, "run instruct"],
    ] as const) {
      const log = newLog();
      const stop = tapped("Stop", (trainer) => {
        trainer.hooks.afterStep.tap("Stop", ({ step }) => {
          if (step === at) trainer.stop("Ctrl-C");
        });
      });
      const stages = [
        stage("align", ["projector"], log, stopped === "align" ? [stop] : []),
        stage("instruct", ["decoder"], log, stopped === "instruct" ? [stop] : []),
      ];
      const first = await runStages({ stages, output });
      expect(first.isInterrupted).toBe(true);
      log.opened.length = 0;
      const second = await runStages({ stages: two(log), output, resume: { from: first.runFolder } });
      expect(second.runFolder).toBe(first.runFolder);
      expect(log.opened.filter((text) => text.startsWith("run")).join()).toBe(runs);
      expect(log.losses).toEqual(whole.losses);
      expect(log.parameters).toEqual(whole.parameters);
      expect(second.stages.map(({ summary }) => summary === undefined)).toEqual([runs === "run instruct", false]);
    }
  });

  describe("with several processes", () => {
    /** Both stages on each rank; `plugins` of the second stage. */
    const together = async (size: number, options: Partial<StagesOptions>, plugins: readonly Plugin[] = []) => {
      const logs = Array.from({ length: size }, newLog);
      const runs = await Promise.allSettled(
        memoryEnsembles(size).map((ensemble, rank) =>
          runStages({
            stages: two(logs[rank]!, plugins, { microBatchSize: 1, gradientAccumulationSteps: 4 / size }),
            output,
            ...options,
            connect: async () => ensemble,
          }),
        ),
      );
      return { logs, runs };
    };
    const close = (log: Log, whole: Log): void => {
      expect(log.losses).toHaveLength(whole.losses.length);
      log.losses.forEach((loss, index) => expect(loss).toBeCloseTo(whole.losses[index]!, 5));
      for (const [name, values] of whole.parameters)
        values.forEach((value, index) => expect(log.parameters.get(name)![index]).toBeCloseTo(value, 5));
    };
    const stopOn = (rank: number, at: number) =>
      tapped("Stop", (trainer) => {
        trainer.hooks.afterStep.tap("Stop", ({ step, ensemble }) => {
          if (step === at && ensemble.rank === rank) trainer.stop("Ctrl-C");
        });
      });

    it("trains as one does: each stage begins with what all before it trained, and one folder is written", async () => {
      const whole = newLog();
      await runStages({ stages: two(whole), output: join(output, "whole") });
      for (const size of [2, 4]) {
        const told: string[] = [];
        const { logs, runs } = await together(size, {
          output: join(output, `of ${size}`),
          afterStage: async ({ name, runFolder }) => void told.push(`${name} in ${basename(runFolder)}`),
        });
        for (const log of logs) close(log, whole);
        const [folder, ...others] = await readdir(join(output, `of ${size}`));
        expect(others).toEqual([]);
        expect(told.toSorted()).toEqual(
          ["align", "instruct"].flatMap((name) => Array.from({ length: size }, () => `${name} in ${folder}`)),
        );
        for (const run of runs)
          expect((run as PromiseFulfilledResult<StagesSummary>).value).toMatchObject({
            runFolder: join(output, `of ${size}`, folder!),
            isInterrupted: false,
          });
      }
    });

    it("goes on in the second stage, with another number of them", async () => {
      const whole = newLog();
      await runStages({ stages: two(whole), output: join(output, "whole") });
      const first = await together(2, {}, [stopOn(1, 0)]);
      const { runFolder: from, isInterrupted } = (first.runs[1] as PromiseFulfilledResult<StagesSummary>).value;
      expect(isInterrupted).toBe(true);
      const { logs } = await together(4, { resume: { from } });
      for (const log of logs) close({ ...log, losses: [...first.logs[0]!.losses, ...log.losses] }, whole);
    });

    it("does not begin the second stage where one was told to stop in the last step of the first", async () => {
      const log = Array.from({ length: 2 }, newLog);
      const runs = await Promise.all(
        memoryEnsembles(2).map((ensemble, rank) =>
          runStages({
            stages: [
              stage("align", ["projector"], log[rank]!, [stopOn(1, 2)]),
              stage("instruct", ["decoder"], log[rank]!),
            ],
            output,
            connect: async () => ensemble,
          }),
        ),
      );
      expect(runs.map(({ isInterrupted }) => isInterrupted)).toEqual([true, true]);
      expect(log.map(({ opened }) => opened.includes("run instruct"))).toEqual([false, false]);
    });

    it("ends on all where one fails, names it, and leaves no folder without a step", async () => {
      const fails = tapped("Fails", ({ hooks }) => {
        hooks.beforeStep.tap("Fails", ({ ensemble }) => {
          if (ensemble.rank === 1) throw new Error("out of luck");
        });
      });
      const failing = (log: Log) => [stage("align", ["projector"], log, [fails]), stage("instruct", ["decoder"], log)];
      const runs = await Promise.allSettled(
        memoryEnsembles(2).map((ensemble) =>
          runStages({ stages: failing(newLog()), output, connect: async () => ensemble }),
        ),
      );
      expect(runs.map((run) => (run as PromiseRejectedResult).reason as Error)).toMatchObject([
        { code: "THAW_CORE_RANK_LOST", details: { rank: 1 } },
        { message: expect.stringContaining("out of luck") as string },
      ]);
      expect(await readdir(output)).toEqual([]);
      await expect(
        Promise.all(
          memoryEnsembles(2).map((ensemble, rank) =>
            runStages({
              stages: [stage("align", [rank === 0 ? "projector" : "tower"], newLog())],
              output,
              connect: async () => ensemble,
            }),
          ),
        ),
      ).rejects.toMatchObject({ code: "THAW_CORE_RANKS_DIFFER", details: { what: "the stages" } });
    });
  });

  it("plans every stage before the first one starts", async () => {
    const log = newLog();
    const bad = tapped("Bad", ({ hooks }) => {
      hooks.collectIssues.tap("Bad", ({ report }) => {
        report({ rule: "house", severity: "error", message: "No.", fix: "Do not.", settings: [] });
      });
    });
    await expect(runStages({ stages: two(log, [bad]), output })).rejects.toThrow("[house] Stage instruct: No. Do not.");
    expect(log.opened).toEqual(["plan align", "close align", "plan instruct", "close instruct"]);
    expect(await readdir(output)).toEqual([]);
    const endless = {
      name: "endless",
      open: async () => ({ options: { model: toyModel(), data: { train: toySource() }, seed: 1 } }),
    };
    await expect(runStages({ stages: [...two(log), endless], output })).rejects.toMatchObject({
      code: "THAW_CORE_OPTION_MISSING",
    });
  });

  it("refuses a stage that would lose what an earlier one trains", async () => {
    const log = newLog();
    const extra = tapped("Extra", ({ hooks }) => {
      hooks.parameters.tap("Extra", (parameters) => [
        ...parameters,
        {
          name: "decoder.layers.0.extra",
          shape: [2],
          dtype: "F32",
          component: "decoder",
          initialize: () => new Float32Array(2),
        },
      ]);
    });
    const stages = [stage("adapt", ["decoder"], log, [extra]), stage("align", ["projector"], log)];
    await expect(runStages({ stages, output })).rejects.toThrow(
      "[stage-loses-parameters] Stage align: it has no place for a parameter that stage adapt trains: " +
        "decoder.layers.0.extra.",
    );
    await expect(
      runStages({ stages: [stages[0]!, stage("align", ["projector"], log, [extra])], output }),
    ).resolves.toMatchObject({ isInterrupted: false });
  });

  it("refuses names that are none, other stages, and folders that are not a staged run's", async () => {
    const log = newLog();
    const named = (...names: string[]) =>
      runStages({ stages: names.map((name) => stage(name, ["projector"], log)), output });
    await expect(named()).rejects.toMatchObject({ code: "THAW_CORE_STAGES_INVALID" });
    await expect(named("../up")).rejects.toThrow('"../up" cannot name a stage.');
    await expect(named("a", "a")).rejects.toThrow("Two stages are named a.");
    const { runFolder } = await named("a", "b");
    await expect(
      runStages({ stages: [stage("a", ["projector"], log)], output, resume: { from: runFolder } }),
    ).rejects.toMatchObject({ code: "THAW_CORE_STAGES_MISMATCH" });
    await expect(runStages({ stages: two(log), output, resume: { from: output } })).rejects.toMatchObject({
      code: "THAW_CORE_STAGES_NOT_FOUND",
    });
  });

  it("does not go on under another plan of a finished stage, unless told to", async () => {
    const log = newLog();
    const { runFolder } = await runStages({ stages: two(log), output });
    const other = [stage("align", ["tower"], log), stage("instruct", ["decoder"], log)];
    await expect(runStages({ stages: other, output, resume: { from: runFolder } })).rejects.toThrow(
      "[resume-with-another-plan] Stage align: it was finished under the plan",
    );
    const { stages } = await runStages({ stages: other, output, resume: { from: runFolder, acceptPlanChange: true } });
    expect(stages.map(({ summary }) => summary)).toEqual([undefined, undefined]);
  });

  it("begins a stage anew, in a folder of its own, where a killed one left no checkpoint", async () => {
    const log = newLog();
    const stop = tapped("Stop", (trainer) => {
      trainer.hooks.afterStep.tap("Stop", () => {
        trainer.stop("Ctrl-C");
      });
    });
    const { runFolder } = await runStages({
      stages: [stage("align", ["projector"], log), stage("instruct", ["decoder"], log, [stop])],
      output,
    });
    await rm(join(runFolder, "2-instruct/checkpoints"), { recursive: true });
    const { stages } = await runStages({ stages: two(log), output, resume: { from: runFolder } });
    expect(stages.map(({ folder }) => basename(folder))).toEqual(["1-align", "2-instruct-2"]);
  });

  it("does not begin a stage anew where its last checkpoint is damaged, and goes on once it is aside", async () => {
    const log = newLog();
    const stop = tapped("Stop", (trainer) => {
      trainer.hooks.afterStep.tap("Stop", () => {
        trainer.stop("Ctrl-C");
      });
    });
    const stages = (plugins: Parameters<typeof stage>[3] = []) => [stage("align", ["projector"], log, plugins)];
    const { runFolder } = await runStages({ stages: stages([stop]), output });
    const [checkpoint] = await readdir(join(runFolder, "1-align/checkpoints"));
    const folder = join(runFolder, "1-align/checkpoints", checkpoint!);
    await writeFile(join(folder, "state.json"), "{}");
    await expect(runStages({ stages: stages(), output, resume: { from: runFolder } })).rejects.toMatchObject({
      code: "THAW_CORE_CHECKPOINT_DAMAGED",
      details: { folder },
    });
    await rename(folder, `${folder}.damaged`);
    const again = await runStages({ stages: stages(), output, resume: { from: runFolder } });
    expect(again.stages.map((done) => basename(done.folder))).toEqual(["1-align-2"]);
  });

  it("leaves nothing behind when the first stage fails at once, and goes on after a later one that did", async () => {
    const log = newLog();
    const fails = tapped("Fails", ({ hooks }) => {
      hooks.beforeStep.tap("Fails", () => {
        throw new Error("bad");
      });
    });
    await expect(runStages({ stages: [stage("align", ["projector"], log, [fails])], output })).rejects.toThrow("bad");
    expect(await readdir(output)).toEqual([]);
    await expect(runStages({ stages: two(log, [fails]), output })).rejects.toThrow("bad");
    const [name] = await readdir(output);
    expect(await readdir(join(output, name!))).toEqual(["1-align", "stages.json"]);
    const { stages } = await runStages({ stages: two(log), output, resume: { from: join(output, name!) } });
    expect(stages.map(({ folder }) => basename(folder))).toEqual(["1-align", "2-instruct"]);
  });
});

describe("Trainer.startFrom", () => {
  it("replaces parameters in sessions too, and says what a file does not fit", async () => {
    const { summary } = await runToy({ plugins: [trainOnly([0, ["projector"]])], output, training: { maxSteps: 2 } });
    const startFrom = join(summary.runFolder!, "final/trained.safetensors");
    const { trainer, parameters } = await runToy({ startFrom, training: { maxSteps: 1, learningRate: 0 } });
    const session = await trainer.open();
    expect(await session.readParameter("projector.linear.bias")).toEqual(parameters.get("projector.linear.bias"));
    await session.close();
    await expect(runToy({ startFrom: join(output, "none.safetensors") })).rejects.toMatchObject({
      code: "THAW_SAFETENSORS_UNREADABLE",
    });
  });

  it("makes the very folder that it is told to, and none that is there", async () => {
    const runFolder = join(output, "deep/here");
    const { summary } = await runToy({ runFolder, training: { maxSteps: 1 } });
    expect(summary.runFolder).toBe(runFolder);
    await mkdir(join(output, "taken"));
    await writeFile(join(output, "taken/file"), "");
    await expect(runToy({ runFolder: join(output, "taken"), training: { maxSteps: 1 } })).rejects.toMatchObject({
      code: "THAW_CORE_RUN_FOLDER_UNWRITABLE",
    });
    expect(await readdir(join(output, "taken"))).toEqual(["file"]);
  });
});
