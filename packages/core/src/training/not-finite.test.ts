import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { scale } from "@thaw/autograd";
import * as tf from "@tensorflow/tfjs-core";
import { firstNotFinite, openSafetensors } from "@thaw/safetensors";
import type { Batch, BatchSource, Model } from "@thaw/contracts";
import { describe, expect, it } from "vitest";
import { silentLogger, type Logger } from "../api/logger.js";
import type { TrainerOptions } from "../api/trainer-options.js";
import { toyModel } from "../toy/toy-model.js";
import { toySource } from "../toy/toy-source.js";
import { runToy, tapped, toyTrainer } from "../toy/toy-trainer.js";
import { useToyOutput } from "../toy/toy-output.js";

let output: string;
useToyOutput((folder) => {
  output = folder;
});

const training = { maxSteps: 4, saveEverySteps: 1 };
const run = (options: Partial<TrainerOptions>) => toyTrainer({ output, training, ...options }).run();

/** A model that reads other values than it has. */
function reading(change: (name: string, values: Float32Array) => Float32Array): Model {
  const model = toyModel();
  return {
    ...model,
    async *load(names) {
      for await (const { name, values } of model.load(names))
        yield { name, values: change(name, values), file: "shard" };
    },
  };
}

function spoilt(values: Float32Array, value = Number.NaN): Float32Array {
  const copy = values.slice();
  copy[1] = value;
  return copy;
}

/** A source whose samples from the second batch on have something else in their pictures. */
function withPictures(source: BatchSource, value: number): BatchSource {
  return {
    ...source,
    async *batches(request) {
      let count = 0;
      for await (const batch of source.batches(request)) yield count++ === 0 ? batch : withItems(batch, value);
    },
  };
}

function withItems(batch: Batch, value: number): Batch {
  const media = batch.media.map((item) => ({
    ...item,
    load: async () =>
      Object.fromEntries(Object.entries(await item.load()).map(([name, values]) => [name, values.map(() => value)])),
  }));
  return { ...batch, media };
}

/** True if every tensor of every file is finite. */
async function allFinite(folder: string): Promise<boolean> {
  for (const file of await readdir(folder, { recursive: true })) {
    if (!file.endsWith(".safetensors")) continue;
    const reader = await openSafetensors(join(folder, file));
    const values = await Promise.all([...reader.entries.keys()].map((name) => reader.readFloat32(name)));
    await reader.close();
    if (values.some((one) => firstNotFinite(one) >= 0)) return false;
  }
  return true;
}

describe("a weight that is not finite", () => {
  it.each(["tower.linear.weight", "tower.unused.weight", "projector.linear.bias", "decoder.embed.weight"])(
    "is named with its file before anything runs: %s",
    async (name) => {
      const model = reading((own, values) => (own === name ? spoilt(values, -Infinity) : values));
      await expect(run({ model })).rejects.toMatchObject({
        code: "THAW_CORE_PARAMETER_NOT_FINITE",
        details: { name, index: 1, value: -Infinity, source: "shard" },
      });
      expect(await readdir(output)).toEqual([]);
    },
  );
});

describe("a step that is not finite", () => {
  it("names the plugin that spoilt a gradient, and the gradient", async () => {
    const fine = tapped("Fine", ({ hooks }) => {
      hooks.beforeStep.tap("Fine", () => {});
    });
    const bad = tapped("Bad", ({ hooks }) => {
      hooks.gradients.tap("Bad", (gradients, { step }) =>
        step < 2
          ? gradients
          : new Map([...gradients].map(([name, value]) => [name, /bias/.test(name) ? tf.div(value, 0) : value])),
      );
    });
    await expect(run({ plugins: [fine, bad] })).rejects.toMatchObject({
      code: "THAW_CORE_NOT_FINITE",
      message: expect.stringMatching(/the plugin Bad made the gradient of \S+\.bias/) as string,
      details: { plugin: "Bad", step: 2 },
    });
    expect(await allFinite(output)).toBe(true);
  });

  it("names the plugin that spoilt the loss", async () => {
    const bad = tapped("Bad", ({ hooks }) => {
      hooks.loss.tap("Bad", (loss, { step }) => (step < 1 ? loss : scale(loss, Number.NaN)));
    });
    await expect(run({ plugins: [bad] })).rejects.toMatchObject({
      code: "THAW_CORE_NOT_FINITE",
      message: expect.stringContaining("the plugin Bad made the loss or its gradient so") as string,
    });
  });

  it("names the samples whose loss is not finite", async () => {
    const source = withPictures(toySource(), Number.NaN);
    await expect(run({ data: { train: source } })).rejects.toMatchObject({
      code: "THAW_CORE_NOT_FINITE",
      message: expect.stringContaining("it comes from the samples") as string,
    });
    expect(await allFinite(output)).toBe(true);
  });
});

describe("an update that is not finite", () => {
  it.each([1, 2])("is never a result after %i steps, with files or without", async (maxSteps) => {
    const bad = { maxSteps, saveEverySteps: 1, learningRate: 1e38, optimizer: { weightDecay: 100, clipNorm: null } };
    await expect(run({ training: bad })).rejects.toThrow(/is (NaN|-?Infinity)/);
    expect(await allFinite(output)).toBe(true);
    await expect(toyTrainer({ training: bad }).run()).rejects.toThrow(/is (NaN|-?Infinity)/);
  });

  it("is not made by an option: betas are below 1", () => {
    for (const name of ["beta1", "beta2"])
      expect(() => toyTrainer({ training: { optimizer: { [name]: 1 } } })).toThrow(`training.optimizer.${name}`);
  });
});

describe("an evaluation that is not finite", () => {
  it("is an error that names its samples", async () => {
    const held = withPictures(toySource({ seed: 3, sampleCount: 8 }), Infinity);
    await expect(run({ data: { train: toySource(), evaluation: { held } } })).rejects.toMatchObject({
      code: "THAW_CORE_EVALUATION_NOT_FINITE",
      message: expect.stringContaining("all that trains is finite") as string,
    });
  });

  it("is an error that names evaluator and metric", async () => {
    const evaluators = [{ name: "mine", evaluate: async () => ({ good: 1, share: 0 / 0 }) }];
    await expect(run({ evaluators })).rejects.toMatchObject({
      code: "THAW_CORE_METRIC_NOT_FINITE",
      details: { name: "mine", metric: "share" },
    });
  });

  it("has no loss where nothing has a label", async () => {
    const source = toySource({ seed: 3, sampleCount: 2 });
    const held: BatchSource = {
      ...source,
      async *batches(request) {
        for await (const batch of source.batches(request)) yield { ...batch, labels: batch.labels.map(() => -100) };
      },
    };
    await expect(run({ data: { train: toySource(), evaluation: { held } } })).rejects.toMatchObject({
      code: "THAW_CORE_EVALUATION_UNSUPERVISED",
      details: { name: "held" },
    });
  });
});

describe("a plugin's metric that is not finite", () => {
  it("is left out, and told of once", async () => {
    const warnings: string[] = [];
    const warn = (details: object | string, text?: string): void => {
      warnings.push(text ?? (details as string));
    };
    const logger = { ...silentLogger, warn } as Logger;
    const plugin = tapped("Counts", ({ hooks }) => {
      hooks.collectMetrics.tap("Counts", ({ add }) => {
        add("share", Number.NaN);
        add("count", 1);
      });
    });
    await runToy({ logger, plugins: [plugin], training: { maxSteps: 3 } });
    expect(warnings.filter((text) => text.includes("The metric share of a plugin is NaN at step 0"))).toHaveLength(1);
    expect(warnings).toHaveLength(1);
  });
});
