import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import {
  firstNotFinite,
  openSafetensors,
  ThawError,
  Trainer,
  writeSafetensors,
} from "../../packages/core/dist/index.js";
import { tinyModel, tinySource, tinyTrainerOptions } from "../../packages/testing/dist/index.js";

/** Numbers that are not finite, from everywhere: none is ever a result, and what made it is named. */
export const count = 132;

const BAD = [Number.NaN, Infinity, -Infinity];

/** By name: options of a run, and what its error must say; without `says` it may also end well. */
const FAULTS = {
  ...Object.fromEntries(
    ["vision_tower", "vision_tower.post_layernorm", "multi_modal_projector", "language_model", "lm_head"].map(
      (part) => [
        `a weight of ${part}`,
        ({ random }) => {
          const model = tinyModel();
          const names = model.parameters.map(({ name }) => name).filter((name) => name.startsWith(part));
          const name = random.pick(names);
          return { model: reading(model, name, random), says: [name, "THAW_CORE_PARAMETER_NOT_FINITE"] };
        },
      ],
    ),
  ),
  ...Object.fromEntries(
    [
      { learningRate: 1e38, optimizer: { clipNorm: null } },
      { learningRate: 3e38, optimizer: { clipNorm: null, weightDecay: 100 } },
      { learningRate: 1e30, optimizer: { weightDecay: 1e30 } },
      { learningRate: 1e20 },
      { learningRate: 1e5, optimizer: { clipNorm: 1e30 } },
      { optimizer: { clipNorm: 1e-38 } },
      { optimizer: { epsilon: 1e-45 } },
      { optimizer: { beta1: 0, beta2: 0 } },
      { optimizer: { beta1: 0.9999999999, beta2: 0.9999999999 } },
      { labelSmoothing: 0.999 },
    ].map((training) => [`training ${JSON.stringify(training)}`, () => ({ training })]),
  ),
  ...Object.fromEntries(
    ["beta1", "beta2"].map((name) => [
      `${name} of 1`,
      () => ({ training: { optimizer: { [name]: 1 } }, says: [name, "THAW_CORE_TRAINING_INVALID"] }),
    ]),
  ),
  "a plugin's gradient": ({ random }) => {
    const value = random.pick(BAD);
    const at = random.below(3);
    const change = (gradient, step) => (step < at ? gradient : tf.mul(gradient, value));
    return {
      training: { maxSteps: 4 },
      plugins: [
        tapped("Spoils", "gradients", (gradients, { step }) => {
          const name = random.pick([...gradients.keys()]);
          return new Map(
            [...gradients].map(([own, gradient]) => [own, own === name ? change(gradient, step) : gradient]),
          );
        }),
      ],
      says: ["Spoils", "THAW_CORE_NOT_FINITE"],
    };
  },
  "an item": ({ random }) => ({
    data: { train: withItems(tinySource({ sampleCount: 7 }), random.pick(BAD)) },
    says: ["samples", "THAW_CORE_NOT_FINITE"],
  }),
  "an item of an evaluation": ({ random }) => ({
    data: { train: tinySource(), evaluation: { held: withItems(tinySource({ seed: 3 }), random.pick(BAD)) } },
    says: ["evaluation loss of", "THAW_CORE_EVALUATION_NOT_FINITE"],
  }),
  "an evaluation without labels": () => ({
    data: { train: tinySource(), evaluation: { held: withoutLabels(tinySource({ seed: 3 })) } },
    says: ["held", "THAW_CORE_EVALUATION_UNSUPERVISED"],
  }),
  "an evaluator": ({ random }) => ({
    evaluators: [{ name: "mine", evaluate: async () => ({ share: random.pick(BAD) }) }],
    says: ["mine", "THAW_CORE_METRIC_NOT_FINITE"],
  }),
  "a plugin's metric": ({ random }) => ({
    plugins: [tapped("Counts", "collectMetrics", ({ add }) => add("share", random.pick(BAD)))],
  }),
  "a file to start from": async ({ random, folder }) => {
    const startFrom = join(folder, "start.safetensors");
    const parameter = random.pick(tinyModel().parameters);
    const values = new Float32Array(parameter.shape.reduce((size, axis) => size * axis, 1)).fill(0.1);
    values[random.below(values.length)] = random.pick(BAD);
    const bytes = new Uint8Array(values.buffer);
    await writeSafetensors(startFrom, [{ name: parameter.name, dtype: "F32", shape: parameter.shape }], () => bytes);
    return { startFrom, says: [startFrom, "THAW_CORE_PARAMETER_NOT_FINITE"] };
  },
};

export async function setUp() {
  await tf.setBackend("cpu");
}

export async function attempt(_, { random, index, folder }) {
  const names = Object.keys(FAULTS);
  const name = names[index % names.length];
  const { says, ...options } = await FAULTS[name]({ random, folder });
  const output = join(folder, "runs");
  const training = { maxSteps: 1 + random.below(4), saveEverySteps: 1, ...options.training };
  const tensors = tf.memory().numTensors;
  let error;
  let summary;
  try {
    summary = await new Trainer(tinyTrainerOptions({ output, ...options, training })).run();
  } catch (caught) {
    error = caught;
  }
  const spoilt = await firstSpoilt(output);
  if (spoilt !== undefined) return { outcome: "silent", note: `${name}: ${spoilt} is saved` };
  if (tf.memory().numTensors !== tensors) return { outcome: "crashed", note: `${name}: tensors stay` };
  if (error === undefined && says !== undefined) return { outcome: "silent", note: `${name}: no error` };
  if (error !== undefined && !(error instanceof ThawError))
    return { outcome: "crashed", note: `${name}: ${error.stack}` };
  if (error !== undefined && !(says ?? []).every((text) => `${error.code} ${error.message}`.includes(text)))
    return { outcome: "crashed", note: `${name} is not named: ${error.code} ${error.message}` };
  const numbers = Object.values(summary?.evaluations ?? {}).flatMap((metrics) => Object.values(metrics));
  return numbers.every(Number.isFinite)
    ? { outcome: "survived" }
    : { outcome: "silent", note: `${name}: ${JSON.stringify(summary.evaluations)}` };
}

function reading(model, wanted, random) {
  return {
    ...model,
    async *load(names) {
      for await (const { name, values } of model.load(names)) {
        const copy = values.slice();
        if (name === wanted) copy[random.below(copy.length)] = random.pick(BAD);
        yield { name, values: copy };
      }
    },
  };
}

function tapped(name, hook, tap) {
  return { name, apiVersion: 1, apply: (trainer) => trainer.hooks[hook].tap(name, tap) };
}

function withBatches(source, change) {
  return {
    ...source,
    async *batches(request) {
      for await (const batch of source.batches(request)) yield change(batch);
    },
  };
}

function withItems(source, value) {
  const spoil = (inputs) =>
    Object.fromEntries(Object.entries(inputs).map(([name, own]) => [name, own.fill(value, 0, 1)]));
  return withBatches(source, (batch) => ({
    ...batch,
    media: batch.media.map((item) => ({ ...item, load: async () => spoil(await item.load()) })),
  }));
}

function withoutLabels(source) {
  return withBatches(source, (batch) => ({ ...batch, labels: batch.labels.map(() => -100) }));
}

/** The first tensor of a folder's files that is not finite. */
async function firstSpoilt(folder) {
  for (const file of await readdir(folder, { recursive: true }).catch(() => [])) {
    if (!file.endsWith(".safetensors")) continue;
    const reader = await openSafetensors(join(folder, file));
    try {
      for (const name of reader.entries.keys())
        if (firstNotFinite(await reader.readFloat32(name)) >= 0) return `${name} of ${file}`;
    } finally {
      await reader.close();
    }
  }
  return undefined;
}
