import { join } from "node:path";
import { readdir, readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import type { TrainerOptions } from "../api/trainer-options.js";
import { useToyOutput } from "../toy/toy-output.js";
import { toySource, type ToySourceOptions } from "../toy/toy-source.js";
import { runToy, tapped, trainOnly } from "../toy/toy-trainer.js";
import type { Ensemble } from "./ensemble.js";
import { memoryEnsembles } from "./memory-ensemble.js";

let output = "";
useToyOutput((folder) => {
  output = folder;
});

type Run = Awaited<ReturnType<typeof runToy>>;
type Options = Partial<TrainerOptions>;

/** Plugins of one rank, after the one that connects it. */
function ofRank(ensemble: Ensemble, { plugins = [], ...options }: Options): Options {
  const connect = tapped("Connect", ({ hooks }) => {
    hooks.resolveEnsemble.tap("Connect", () => ensemble);
  });
  return { ...options, processes: ensemble.size, plugins: [connect, ...plugins] };
}

/** The same trainer on every rank, in one process on one backend; `options` may differ by rank. */
async function runRanks(size: number, options: (rank: number) => Options): Promise<readonly Run[]> {
  const ensembles = memoryEnsembles(size);
  const runs = await Promise.allSettled(ensembles.map((one) => runToy(ofRank(one, options(one.rank)))));
  const failed = runs.find((run) => run.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return runs.map((run) => (run as PromiseFulfilledResult<Run>).value);
}

function expectEqual(run: Run, whole: Run): void {
  expect(run.losses).toHaveLength(whole.losses.length);
  run.losses.forEach((loss, index) => expect(loss).toBeCloseTo(whole.losses[index]!, 5));
  for (const [name, values] of whole.parameters)
    values.forEach((value, index) => expect(run.parameters.get(name)![index]).toBeCloseTo(value, 4));
  expect(run.summary.tokens).toBe(whole.summary.tokens);
  for (const [name, metrics] of Object.entries(whole.summary.evaluations))
    for (const [metric, value] of Object.entries(metrics))
      expect(run.summary.evaluations[name]![metric]).toBeCloseTo(value, 5);
}

const data = (options: ToySourceOptions): Options["data"] => ({
  train: toySource({ sampleCount: 9, ...options }),
  evaluation: { other: toySource({ sampleCount: 3, seed: 9 }) },
});
const UNFREEZING = trainOnly([0, ["projector"]], [2, ["projector", "decoder"]], [3, ["decoder"]]);

describe("ranks that train together equal one process", () => {
  const cases: readonly (readonly [string, number, number, ToySourceOptions, Options])[] = [
    ["unequal tokens and a short tail", 2, 1, {}, {}],
    ["four of 2, of which some have no sample at the end", 4, 1, {}, {}],
    ["three, which divide nothing", 3, 1, {}, {}],
    ["accumulation", 2, 2, {}, {}],
    ["ranks with text alone", 4, 1, { textOnlyEvery: 2 }, { training: { shuffle: false } }],
    ["text alone where the projector trains", 2, 1, { textOnlyEvery: 3 }, { plugins: [trainOnly([0, ["projector"]])] }],
    ["a plan that unfreezes", 2, 1, {}, { plugins: [UNFREEZING] }],
    ["a source without shards", 4, 1, { shards: false }, {}],
    ["one sample in all", 2, 1, { sampleCount: 1 }, {}],
    ["clipping and weight decay", 2, 1, {}, { training: { optimizer: { clipNorm: 0.1, weightDecay: 0.1 } } }],
    ["rates that decay from layer to layer", 2, 1, {}, { training: { layerDecay: 0.5 } }],
    [
      "decayed rates with what the optimizer keeps shared out",
      2,
      1,
      {},
      { training: { layerDecay: 0.5, optimizer: { zeroStage: 1 } } },
    ],
    ["checkpointed blocks", 2, 1, {}, { training: { activationCheckpointing: "on" } }],
  ];
  it.each(cases)("with %s", async (_, size, accumulated, source, options) => {
    const training = { epochs: 2, ...options.training };
    const whole = await runToy({
      ...options,
      data: data(source),
      training: { ...training, microBatchSize: 2 * size * accumulated },
    });
    const ranks = await runRanks(size, () => ({
      ...options,
      data: data(source),
      training: { ...training, microBatchSize: 2, gradientAccumulationSteps: accumulated },
    }));
    for (const rank of ranks) expectEqual(rank, whole);
    for (const { losses, parameters } of ranks.slice(1)) {
      expect(losses).toEqual(ranks[0]!.losses);
      expect([...parameters]).toEqual([...ranks[0]!.parameters]);
    }
  });

  const optimizers: readonly NonNullable<NonNullable<Options["training"]>["optimizer"]>[] = [
    { type: "adamw", weightDecay: 0.1, clipNorm: 0.1 },
    { type: "adam" },
    { type: "sgd", momentum: 0.9 },
    { type: "lion" },
    { type: "adafactor" },
    { type: "muon" },
    { type: "adamw_8bit" },
  ];
  const stages = ([1, 2] as const).flatMap((zeroStage) => optimizers.map((one) => ({ ...one, zeroStage })));
  it.each(stages)("with $type shared out, stage $zeroStage, in a plan that unfreezes", async (shared) => {
    const { zeroStage, ...optimizer } = shared;
    const training = { epochs: 2, learningRate: 0.01 };
    const whole = await runToy({
      data: data({}),
      plugins: [UNFREEZING],
      training: { ...training, microBatchSize: 4, optimizer },
    });
    const ranks = await runRanks(2, () => ({
      data: data({}),
      plugins: [UNFREEZING],
      training: { ...training, microBatchSize: 2, optimizer: { ...optimizer, zeroStage } },
    }));
    for (const rank of ranks) expectEqual(rank, whole);
    expect([...ranks[1]!.parameters]).toEqual([...ranks[0]!.parameters]);
  });

  it.each([
    ["accumulation and clipping", 2, 2, {}],
    ["ranks without a sample, and text alone", 4, 1, { textOnlyEvery: 2 }],
    ["one sample in all", 2, 1, { sampleCount: 1 }],
    ["more ranks than parameters", 7, 1, { sampleCount: 15 }],
  ] as const)("with gradients shared out: %s", async (_, size, accumulated, source) => {
    const training = { epochs: 2, learningRate: 0.05 };
    const optimizer = { clipNorm: 0.1, weightDecay: 0.1 };
    const whole = await runToy({
      data: data(source),
      training: { ...training, microBatchSize: 2 * size * accumulated, optimizer },
    });
    const made = { microBatchSize: 2, gradientAccumulationSteps: accumulated };
    const ranks = await runRanks(size, () => ({
      data: data(source),
      training: { ...training, ...made, optimizer: { ...optimizer, zeroStage: 2 } },
    }));
    for (const rank of ranks) expectEqual(rank, whole);
    for (const { losses, parameters } of ranks.slice(1)) {
      expect(losses).toEqual(ranks[0]!.losses);
      expect([...parameters]).toEqual([...ranks[0]!.parameters]);
    }
  });

  it.each([0, 1, 2] as const)(
    "also where a checkpoint of two goes on with four, and of four alone; stage %i",
    async (zeroStage) => {
      const at = (accumulated: number, more: Options = {}): Options => ({
        data: data({}),
        ...more,
        training: { epochs: 3, microBatchSize: 1, gradientAccumulationSteps: accumulated, optimizer: { zeroStage } },
      });
      const whole = await runToy(at(4));
      const stopAt = (step: number) =>
        tapped("Stop", (trainer) => {
          trainer.hooks.afterStep.tap("Stop", (context) => {
            if (context.step === step && context.ensemble.rank === context.ensemble.size - 1) trainer.stop("enough");
          });
        });
      const [two] = await runRanks(2, () => at(2, { output, plugins: [stopAt(1)] }));
      expect(two!.summary).toMatchObject({ steps: 3, isInterrupted: true, stopReason: "enough" });
      const from = two!.summary.runFolder!;
      const [four] = await runRanks(4, () => at(1, { output, resume: { from }, plugins: [stopAt(4)] }));
      expect(four!.summary.steps).toBe(6);
      const one = await runToy(at(4, { output, resume: { from } }));
      expect([...two!.losses, ...four!.losses, ...one.losses]).toHaveLength(whole.losses.length);
      expectEqual({ ...one, losses: [...two!.losses, ...four!.losses, ...one.losses] }, whole);
      await expect(runToy(at(1, { output, resume: { from } }))).rejects.toMatchObject({
        code: "THAW_CORE_RESUME_MISMATCH",
        details: { what: ["training.gradientAccumulationSteps times processes was 4 and is 1"] },
      });
    },
  );
});

describe("ranks", () => {
  it("have rank 0 write, draw by micro-batch and not by rank, and load what is theirs alone", async () => {
    const drawn: number[][] = [[], []];
    const loads = [0, 0];
    const draws = (rank: number) =>
      tapped("Draws", ({ hooks }) => {
        hooks.scope.tap("Draws", (scope, { purpose, microBatch }) => {
          if (purpose === "train") drawn[rank]!.push(microBatch);
          return scope;
        });
      });
    const runs = await runRanks(2, (rank) => ({
      output,
      plugins: [draws(rank)],
      data: { train: toySource({ sampleCount: 6, onLoad: () => loads[rank]!++ }) },
      training: { epochs: 1, microBatchSize: 1, gradientAccumulationSteps: 2 },
    }));
    expect(drawn).toEqual([
      [0, 2, 0],
      [1, 3, 1],
    ]);
    expect(loads).toEqual([3, 3]);
    expect(runs.map(({ summary }) => summary.runFolder !== undefined)).toEqual([true, false]);
    expect(await readdir(output)).toHaveLength(1);
    const lines = await readFile(join(runs[0]!.summary.runFolder!, "metrics.jsonl"), "utf8");
    expect(lines.trim().split("\n")).toHaveLength(2);
  });

  it("end together: by a stop of one, in a step or an evaluation, and by a plugin's decision on rank 0", async () => {
    const stopOn = (rank: number, hook: "afterStep" | "evaluated" | "batch") =>
      tapped("Stop", (trainer) => {
        const stop = ({ ensemble }: { readonly ensemble?: Ensemble }): void => {
          if (ensemble === undefined || ensemble.rank === rank) trainer.stop("enough");
        };
        if (hook === "batch") trainer.hooks.batch.tap("Stop", (batch) => (stop({}), batch));
        else trainer.hooks[hook].tap("Stop", stop);
      });
    const run = (plugins: (rank: number) => Options["plugins"]) =>
      runRanks(3, (rank) => ({
        data: data({}),
        plugins: plugins(rank),
        training: { epochs: 9, microBatchSize: 2, evaluateEverySteps: 3 },
      }));
    for (const [plugins, steps] of [
      [() => [stopOn(2, "afterStep")], 2],
      [() => [stopOn(1, "evaluated")], 1],
      [(rank: number) => (rank === 1 ? [stopOn(1, "batch")] : []), 0],
    ] as const) {
      const runs = await run(plugins);
      expect(runs.map(({ summary }) => [summary.steps, summary.stopReason])).toEqual(
        Array.from({ length: 3 }, () => [steps, "enough"]),
      );
    }
    const decided = await run((rank) => [
      tapped("Decide", ({ hooks }) => {
        hooks.shouldStop.tap("Decide", ({ step }) =>
          step === 1 ? { stop: "run", reason: `by rank ${rank}` } : undefined,
        );
      }),
    ]);
    expect(decided.map(({ summary }) => [summary.steps, summary.stopReason])).toEqual(
      Array.from({ length: 3 }, () => [2, "by rank 0"]),
    );
  });

  it("tell norms by component and unused parameters alike, whoever has a gradient", async () => {
    const told = async (zeroStage: 0 | 2) => {
      const steps: unknown[] = [];
      const watch = tapped("Watch", ({ hooks }) => {
        hooks.afterStep.tap("Watch", ({ gradientNorm, gradientNorms, updateRatios = {} }) => {
          const rounded = (norms: object) =>
            Object.entries(norms)
              .map(([name, norm]) => `${name} ${norm.toFixed(5)}`)
              .toSorted();
          steps.push([gradientNorm.toFixed(5), rounded(gradientNorms), rounded(updateRatios)]);
        });
      });
      await runRanks(2, (rank) => ({
        data: data({}),
        plugins: rank === 0 ? [watch] : [],
        training: { microBatchSize: 2, epochs: 1, optimizer: { zeroStage } },
      }));
      return steps;
    };
    expect(await told(2)).toEqual(await told(0));
  });

  it("refuse plugins that take part in gradients of which each has a part alone", async () => {
    const taps = tapped("Scales", ({ hooks }) => {
      hooks.gradients.tap("Scales", (gradients) => gradients);
    });
    const run = (size: number, zeroStage: 1 | 2) =>
      runRanks(size, () => ({ plugins: [taps], training: { epochs: 1, optimizer: { zeroStage } } }));
    await expect(run(2, 2)).rejects.toMatchObject({
      code: "THAW_CORE_GRADIENTS_SHARED",
      details: { plugins: ["Scales"] },
    });
    await run(2, 1);
    await run(1, 2);
  });

  it.each([0, 1, 2] as const)(
    "stop when one fails, with its rank, reason and last step, stage %i",
    async (zeroStage) => {
      const fails = tapped("Fails", ({ hooks }) => {
        hooks.beforeStep.tap("Fails", ({ step }) => {
          if (step === 2) throw new Error("out of luck");
        });
      });
      const results = await Promise.allSettled(
        memoryEnsembles(3).map((one) =>
          runToy(
            ofRank(one, {
              output,
              data: data({}),
              plugins: one.rank === 1 ? [fails] : [],
              training: { epochs: 9, microBatchSize: 2, optimizer: { zeroStage } },
            }),
          ),
        ),
      );
      const [first, second, third] = results.map((result) => (result as PromiseRejectedResult).reason as Error);
      for (const error of [first, third])
        expect(error).toMatchObject({ code: "THAW_CORE_RANK_LOST", details: { rank: 1, stepsDone: 2 } });
      expect(first!.message).toMatch(/^Rank 1 is lost: .*out of luck.* The last whole step is step 2\./);
      expect(second!.message).toContain("out of luck");
      const [folder] = await readdir(output);
      if (zeroStage === 0)
        expect(await readdir(join(output, folder!, "checkpoints", "step-2"))).toContain("state.json");
      else expect(first!.message).toContain("not saved: each process keeps a share of the optimizer's state");
    },
  );

  it("are refused where they would not train the same, and name what differs", async () => {
    const differing: readonly (readonly [string, (rank: number) => Options])[] = [
      ["seed: rank 0 has 5, rank 1 has 6", (rank) => ({ seed: 5 + rank })],
      [
        "training.learningRate: rank 0 has 0.05, rank 1 has 0.06",
        (rank) => ({ training: { learningRate: 0.05 + 0.01 * rank } }),
      ],
      ["the plan's hash", (rank) => ({ plugins: rank === 0 ? [] : [trainOnly([0, ["decoder"]])] })],
      [
        "samples of the training set: rank 0 has 8, rank 1 has 9",
        (rank) => ({ data: { train: toySource({ sampleCount: 8 + rank }) } }),
      ],
    ];
    for (const [message, options] of differing)
      await expect(runRanks(2, options)).rejects.toMatchObject({
        code: "THAW_CORE_RANKS_DIFFER",
        message: expect.stringContaining(message),
      });
    await expect(runToy({ processes: 2 })).rejects.toMatchObject({ code: "THAW_CORE_ENSEMBLE_MISSING" });
    await expect(runToy({ processes: 0 })).rejects.toMatchObject({ code: "THAW_CORE_PROCESSES_INVALID" });
    const [one] = memoryEnsembles(3);
    await expect(runToy({ ...ofRank(one!, {}), processes: 2 })).rejects.toMatchObject({
      code: "THAW_CORE_ENSEMBLE_UNFIT",
    });
  });

  it.each([0, 2] as const)("name the samples that made a step infinite, stage %i", async (zeroStage) => {
    const spoil = tapped("Spoil", ({ hooks }) => {
      hooks.batch.tap("Spoil", (batch) => ({
        ...batch,
        media: batch.media.map((item) => ({ ...item, load: async () => ({ pixels: new Float32Array(4).fill(NaN) }) })),
      }));
    });
    await expect(
      runRanks(2, (rank) => ({
        data: { train: toySource() },
        plugins: rank === 1 ? [spoil] : [],
        training: { shuffle: false, optimizer: { zeroStage } },
      })),
    ).rejects.toMatchObject({
      code: "THAW_CORE_NOT_FINITE",
      details: { samples: ["sample-4", "sample-5", "sample-6", "sample-7"] },
    });
  });
});
