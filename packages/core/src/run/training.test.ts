import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import type { Batch } from "@thaw/contracts";
import { TOY, toyModel } from "../toy/toy-model.js";
import { toySource } from "../toy/toy-source.js";
import type { UpdateContext } from "../api/optimizer.js";
import type { Trainer } from "./trainer.js";
import { runToy, tapped, toyTrainer, trainOnly } from "../toy/toy-trainer.js";
import { useToyTensors } from "../toy/toy-tensors.js";

useToyTensors();

type Parameters = ReadonlyMap<string, Float32Array>;

function largestDifference(left: Parameters, right: Parameters): number {
  return Math.max(
    ...[...left].map(([name, values]) =>
      Math.max(...values.map((value, index) => Math.abs(value - right.get(name)![index]!))),
    ),
  );
}

describe("training", () => {
  it("lowers the loss with zero plugins, where everything trains", async () => {
    const { losses, summary } = await runToy({ training: { epochs: 15, microBatchSize: 4 } });
    expect(losses).toHaveLength(45);
    expect(losses.at(-1)).toBeLessThan(0.6 * losses[0]!);
    expect(summary).toMatchObject({
      steps: 45,
      epochs: 15,
      isInterrupted: false,
      stopReason: "all 45 steps are done",
      frozenProof: [],
    });
    expect(summary.tokens).toBeGreaterThan(15 * 10 * 3);
    expect(summary.peakTensorBytes).toBeGreaterThan(0);
  });

  it.each([0, 3])(
    "makes one micro-batch of 8 equal to four of 2, with unequal token counts and a short tail (text-only every %i)",
    async (textOnlyEvery) => {
      const data = { train: toySource({ sampleCount: 11, textOnlyEvery }) };
      const whole = await runToy({ data, training: { epochs: 3, microBatchSize: 8, gradientAccumulationSteps: 1 } });
      const parts = await runToy({ data, training: { epochs: 3, microBatchSize: 2, gradientAccumulationSteps: 4 } });
      expect(parts.losses).toHaveLength(6);
      parts.losses.forEach((loss, index) => {
        expect(loss).toBeCloseTo(whole.losses[index]!, 5);
      });
      expect(largestDifference(whole.parameters, parts.parameters)).toBeLessThan(2e-4);
      expect(parts.summary.tokens).toBe(whole.summary.tokens);
    },
  );

  it("gives the same curve for the same seed, and another for another", async () => {
    const first = await runToy();
    const second = await runToy();
    const third = await runToy({ seed: 6 });
    expect(second.losses).toEqual(first.losses);
    expect(largestDifference(first.parameters, second.parameters)).toBe(0);
    expect(third.losses).not.toEqual(first.losses);
  });

  it("keeps a frozen parameter bit-identical, makes no slot for it, and proves it", async () => {
    const before = new Map<string, Float32Array>();
    for await (const { name, values } of toyModel().load(toyModel().parameters.map(({ name: own }) => own)))
      before.set(name, values);
    const { summary, parameters } = await runToy({
      plugins: [trainOnly([0, ["projector"]])],
      training: { epochs: 5, optimizer: { weightDecay: 0.1, decayNormsAndBiases: true } },
    });
    for (const [name, values] of before) {
      if (name.startsWith("projector")) expect(parameters.get(name)).not.toEqual(values);
      else expect(parameters.get(name)).toEqual(values);
    }
    expect(
      summary.frozenProof.map(({ component, parameterCount, isUnchanged }) => [component, parameterCount, isUnchanged]),
    ).toEqual([
      ["tower", 3, true],
      ["decoder", 5, true],
    ]);
    expect(summary.components.map(({ name, flows }) => [name, flows])).toEqual([
      ["tower", ["prefix"]],
      ["projector", ["trained"]],
      ["decoder", ["through"]],
    ]);
  });

  it("divides, clips and frees gradients one by one in the update, unless a plugin wants to see them", async () => {
    const run = async (watch: (trainer: Trainer) => void) => {
      const seen: { factor: number; freed: number }[] = [];
      const own = tapped("Own", (trainer) => {
        watch(trainer);
        trainer.hooks.resolveOptimizer.tap("Own", () => ({
          name: "own",
          takesFactors: true,
          *update(
            parameters: ReadonlyMap<string, tf.Tensor>,
            gradients: ReadonlyMap<string, tf.Tensor>,
            { factorOf }: UpdateContext,
          ) {
            for (const name of gradients.keys()) {
              const before = [...gradients.values()].filter(({ isDisposed }) => isDisposed).length;
              seen.push({ factor: factorOf!(name).dataSync()[0]!, freed: before });
              yield [name, tf.clone(parameters.get(name)!)] as const;
            }
          },
          slots: () => new Map<string, tf.Tensor>(),
          restore: () => undefined,
          drop: () => undefined,
          dispose: () => undefined,
        }));
      });
      await runToy({ plugins: [own], training: { maxSteps: 1, optimizer: { clipNorm: null } } });
      return seen;
    };
    const plain = await run(() => undefined);
    expect(new Set(plain.map(({ factor }) => factor)).size).toBe(1);
    expect(plain[0]!.factor).toBeLessThan(1);
    expect(plain.map(({ freed }) => freed)).toEqual(plain.map((_, index) => index));
    const tappedRun = await run(({ hooks }) => {
      hooks.gradients.tap("Own", (gradients) => gradients);
    });
    expect(tappedRun.every(({ factor }) => factor === 1)).toBe(true);
  });

  it("makes all-trained and checkpointed runs equal", async () => {
    const plain = await runToy();
    const recomputed = await runToy({ training: { activationCheckpointing: "on" } });
    expect(recomputed.losses).toEqual(plain.losses);
    expect(largestDifference(plain.parameters, recomputed.parameters)).toBe(0);
  });

  it("trains a tied parameter as one", async () => {
    const { parameters, losses } = await runToy({ model: toyModel({ isTied: true }), training: { epochs: 10 } });
    expect([...parameters.keys()]).not.toContain("decoder.head.weight");
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
  });

  it("changes what trains at a phase edge: flows, slots and groups", async () => {
    const flows: string[][] = [];
    const { summary, trainer, parameters } = await runToy({
      training: { maxSteps: 6 },
      plugins: [
        trainOnly([0, ["projector"]], [2, ["projector", "decoder"]], [4, ["decoder"]]),
        tapped("Flows", ({ hooks }) => {
          hooks.batch.tap("Flows", (batch, context) => {
            flows.push(["tower", "projector", "decoder"].map((name) => context.flows.get(name)!));
            return batch;
          });
          hooks.afterStep.tap("Flows", ({ learningRates }) => {
            flows.at(-1)!.push(...Object.keys(learningRates));
          });
        }),
      ],
    });
    const first = ["prefix", "trained", "through", "projector"];
    const second = ["prefix", "trained", "trained", "projector", "decoder"];
    const third = ["prefix", "prefix", "trained", "decoder"];
    expect(flows).toEqual([first, first, second, second, third, third]);
    expect(summary.frozenProof.map(({ component, isUnchanged }) => [component, isUnchanged])).toEqual([
      ["tower", true],
      ["decoder", true],
      ["projector", true],
    ]);
    expect(trainer.describeHooks().find(({ plugin, hook }) => plugin === "Flows" && hook === "batch")?.callCount).toBe(
      6,
    );
    expect(parameters.size).toBe(10);
  });

  it("stops gradients behind a segment where the plan says so", async () => {
    const stop = tapped("Stop", ({ hooks }) => {
      hooks.plan.tap("Stop", (plan) => ({ phases: [{ ...plan.phases[0]!, stopGradientAfter: ["projector"] }] }));
    });
    const { parameters } = await runToy({ plugins: [stop] });
    const before = new Map<string, Float32Array>();
    for await (const { name, values } of toyModel().load([
      "tower.linear.weight",
      "projector.linear.weight",
      "decoder.embed.weight",
    ]))
      before.set(name, values);
    expect(parameters.get("tower.linear.weight")).toEqual(before.get("tower.linear.weight"));
    expect(parameters.get("projector.linear.weight")).toEqual(before.get("projector.linear.weight"));
    expect(parameters.get("decoder.embed.weight")).not.toEqual(before.get("decoder.embed.weight"));
  });

  it("substitutes a known segment output: nothing is loaded, no tower runs, the numbers are equal", async () => {
    let loads = 0;
    let towers = 0;
    const run = async (isCached: boolean) => {
      loads = 0;
      towers = 0;
      const known = new Map<string, Float32Array>();
      const cache = tapped("Cache", ({ hooks }) => {
        hooks.batch.tapPromise("Cache", async (batch, { runSegment, flows }) => {
          expect(flows.get("tower")).toBe("prefix");
          const pixels = batch.media;
          for (const item of pixels.filter(({ contentKey }) => !known.has(contentKey))) {
            const output = await runSegment("tower", [item]);
            known.set(item.contentKey, await output.tensor.data<"float32">());
            output.tensor.dispose();
          }
          const values = pixels.map(({ contentKey }) => tf.tensor(known.get(contentKey)!, [1, TOY.features]));
          const offsets = Int32Array.from({ length: values.length + 1 }, (_, item) => item);
          const tower: Batch["segmentOutputs"] =
            values.length === 0 ? {} : { tower: { tensor: tf.concat(values, 0), offsets } };
          tf.dispose(values);
          return { ...batch, segmentOutputs: tower };
        });
      });
      const model = toyModel({
        onTower: () => {
          towers += 1;
        },
      });
      const data = {
        train: toySource({
          onLoad: () => {
            loads += 1;
          },
        }),
        evaluation: { held: toySource({ seed: 9, sampleCount: 3 }) },
      };
      return runToy({
        model,
        data,
        plugins: [trainOnly([0, ["projector"]]), isCached && cache].filter((plugin) => plugin !== false),
      });
    };
    const plain = await run(false);
    expect(loads).toBe(20);
    const cached = await run(true);
    expect(loads).toBe(10);
    expect(towers).toBe(13);
    expect(cached.losses).toEqual(plain.losses);
    expect(cached.summary.evaluations).toEqual(plain.summary.evaluations);
  });

  it("evaluates the loss at the start, every few steps and at the end, as a session does", async () => {
    const seen: [number, string, number][] = [];
    const held = toySource({ seed: 9, sampleCount: 5 });
    const { summary } = await runToy({
      data: { train: toySource(), evaluation: { held } },
      training: { evaluateEverySteps: 4 },
      evaluators: [
        {
          name: "words",
          everySteps: 3,
          atStart: false,
          evaluate: async (session, { step }): Promise<Record<string, number>> => {
            for await (const batch of held.batches({ epoch: 0, seed: 0, microBatchSize: 5, shuffle: false })) {
              const { lossSum, supervisedTokenCount } = await session.loss(batch);
              return {
                step,
                loss: lossSum / supervisedTokenCount,
                words: (await session.generate(batch, { maxNewTokens: 2 }))[0]!.length,
              };
            }
            return {};
          },
        },
      ],
      plugins: [
        tapped("Seen", ({ hooks }) => {
          hooks.evaluated.tap("Seen", ({ step, name, metrics }) => {
            seen.push([step, name, metrics.loss!]);
          });
        }),
      ],
    });
    expect(seen.map(([step, name]) => `${step} ${name}`)).toEqual(["0 held", "3 words", "4 held", "6 words", "6 held"]);
    expect(summary.evaluations.words).toMatchObject({ step: 6, words: 2 });
    expect(summary.evaluations.words!.loss).toBeCloseTo(summary.evaluations.held!.loss!, 5);
    expect(seen[4]![2]).toBeLessThan(seen[0]![2]);
  });

  it("adds loss terms and changes gradients through hooks", async () => {
    const plain = await runToy({ training: { maxSteps: 1, optimizer: { clipNorm: null } } });
    const norms: number[] = [];
    const doubled = await runToy({
      training: { maxSteps: 1, optimizer: { clipNorm: null } },
      plugins: [
        tapped("Double", ({ hooks }) => {
          hooks.gradients.tap(
            "Double",
            (gradients) => new Map([...gradients].map(([name, gradient]) => [name, tf.mul(gradient, 2)])),
          );
          hooks.afterStep.tap("Double", ({ gradientNorm }) => {
            norms.push(gradientNorm);
          });
          hooks.loss.tap("Double", (loss, { segmentOutput, supervisedTokenCount }) => {
            expect(segmentOutput("tower")!.shape).toEqual([4, TOY.features]);
            expect(supervisedTokenCount).toBeGreaterThan(4);
            return loss;
          });
        }),
      ],
    });
    expect(doubled.losses).toEqual(plain.losses);
    expect(norms).toHaveLength(1);
  });

  it("ends a run or an epoch when a plugin says so, and says why", async () => {
    const early = await runToy({
      plugins: [
        tapped("Early", ({ hooks }) => {
          hooks.shouldStop.tap("Early", ({ step }) =>
            step === 2 ? { stop: "run", reason: "good enough" } : undefined,
          );
        }),
      ],
    });
    expect(early.summary).toMatchObject({ steps: 3, stopReason: "good enough", isInterrupted: false });
    const short = await runToy({
      plugins: [
        tapped("Short", ({ hooks }) => {
          hooks.shouldStop.tap("Short", () => ({ stop: "epoch", reason: "one step each" }));
        }),
      ],
    });
    expect(short.summary).toMatchObject({ steps: 2, epochs: 2, stopReason: "2 epochs are done" });
  });

  it("stops after the current step when asked", async () => {
    const trainer = toyTrainer({
      plugins: [
        tapped("Stop", (own) => {
          own.hooks.beforeStep.tap("Stop", ({ step }) => {
            if (step === 1) own.stop("Ctrl-C");
          });
        }),
      ],
    });
    expect(await trainer.run()).toMatchObject({ steps: 2, stopReason: "Ctrl-C", isInterrupted: true });
  });

  it("names samples when a step has nothing supervised", async () => {
    const blank = tapped("Blank", ({ hooks }) => {
      hooks.batch.tap("Blank", (batch) => ({ ...batch, labels: batch.labels.map(() => -100) }));
    });
    await expect(toyTrainer({ plugins: [blank] }).run()).rejects.toMatchObject({
      code: "THAW_CORE_NOTHING_SUPERVISED",
    });
  });

  it("fails on a loss that is not finite, before the next step", async () => {
    await expect(toyTrainer({ training: { learningRate: 1e30, maxSteps: 10 } }).run()).rejects.toMatchObject({
      code: "THAW_CORE_NOT_FINITE",
    });
  });
});
