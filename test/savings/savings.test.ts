import { backendGpu } from "@thaw/backend-gpu";
import { Trainer, type Plugin, type RunSummary, type TrainerOptions } from "@thaw/core";
import { openModel } from "@thaw/models";
import freezePolicy from "@thaw/plugin-freeze-policy";
import projectorOnly, { type ProjectorOnlyOptions } from "@thaw/plugin-projector-only";
import * as tf from "@tensorflow/tfjs-core";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { RAGGED, raggedSource } from "./ragged.js";

const folder = fileURLToPath(new URL("../fixtures/goldens/llava", import.meta.url));
const TOLERANCE = 1e-5;

type Savings = NonNullable<NonNullable<ProjectorOnlyOptions>["savings"]>;
const NAMES = [
  "padding",
  "tail",
  "lastLayer",
  "logits",
  "prefix",
  "releaseTower",
] as const satisfies readonly (keyof Savings)[];

/** All savings but the named ones off. */
const only = (...names: readonly (keyof Savings)[]): Savings =>
  Object.fromEntries(NAMES.map((name) => [name, names.includes(name)]));

/**
 * Savings one by one and the number that reports each. With all logits no row can be left out, so some need `logits`
 * too.
 */
const CASES: readonly (readonly [string, string, NonNullable<ProjectorOnlyOptions>])[] = [
  ["the feature cache", "featureCacheHits", { featureCache: "on", savings: only() }],
  ["padding", "rowsPadding", { featureCache: "off", savings: only("padding") }],
  ["the vocabulary product", "rowsLogits", { featureCache: "off", savings: only("logits") }],
  ["the tail", "rowsTail", { featureCache: "off", savings: only("tail", "logits") }],
  ["the last layer", "rowsLastLayer", { featureCache: "off", savings: only("lastLayer", "logits") }],
  ["the prompt prefix", "rowsPrefix", { featureCache: "off", savings: only("prefix", "logits") }],
  ["releasing the tower", "releasedBytes", { featureCache: "on", savings: only("releaseTower") }],
  ["everything", "rowsSkipped", { featureCache: "on" }],
];

interface Result {
  readonly losses: readonly number[];
  /** Of every step, by parameter. */
  readonly gradients: readonly ReadonlyMap<string, Float32Array>[];
  readonly parameters: ReadonlyMap<string, Float32Array>;
  readonly summary: RunSummary;
}

type Freeze = NonNullable<Parameters<typeof freezePolicy>[0]>;

/**
 * Three AdamW steps on the ragged samples, four a step; an evaluation after each. `isFrozen`: the language model, or
 * what else is said of it.
 */
async function train(
  backend: "cpu" | "wasm",
  isFrozen: boolean | Freeze,
  options: NonNullable<ProjectorOnlyOptions>,
  training: TrainerOptions["training"] = {},
): Promise<Result> {
  const freeze =
    typeof isFrozen === "boolean" ? { freezeMultiModalProjector: false, freezeLanguageModel: isFrozen } : isFrozen;
  const [losses, gradients, parameters] = [
    [] as number[],
    [] as Map<string, Float32Array>[],
    new Map<string, Float32Array>(),
  ];
  const watch: Plugin = {
    name: "Watch",
    apiVersion: 1,
    apply: ({ hooks }) => {
      hooks.gradients.tap("Watch", (given) => {
        gradients.push(new Map([...given].map(([name, tensor]) => [name, tensor.dataSync<"float32">().slice()])));
        return given;
      });
      hooks.afterStep.tap("Watch", ({ loss }) => void losses.push(loss));
      hooks.done.tapPromise("Watch", async (_, { readParameter }) => {
        for (const name of gradients[0]!.keys()) parameters.set(name, await readParameter(name));
      });
    },
  };
  const trainer = new Trainer({
    model: await openModel(folder),
    data: { train: raggedSource(), evaluation: { held: raggedSource(RAGGED.slice(0, 3)) } },
    seed: 0,
    plugins: [backendGpu(backend), freezePolicy(freeze), projectorOnly(options), watch],
    // A large epsilon: AdamW makes gradients that are rounding alone as large as all others.
    training: {
      maxSteps: 3,
      microBatchSize: 4,
      shuffle: false,
      evaluateEverySteps: 1,
      learningRate: 1e-3,
      optimizer: { epsilon: 1e-3 },
      ...training,
    },
  });
  const tensors = tf.engine().state.numTensors;
  const summary = await trainer.run();
  expect(tf.engine().state.numTensors).toBe(tensors);
  return { losses, gradients, parameters, summary };
}

/** Largest difference of two runs, of the largest value of each tensor. */
function difference(
  one: Result,
  other: Result,
): { readonly losses: number; readonly gradients: number; readonly parameters: number } {
  const of = (a: ReadonlyMap<string, Float32Array>, b: ReadonlyMap<string, Float32Array>): number => {
    expect([...a.keys()].toSorted()).toEqual([...b.keys()].toSorted());
    return Math.max(
      ...[...a].map(([name, values]) => {
        const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-12);
        return values.reduce((most, value, at) => Math.max(most, Math.abs(value - b.get(name)![at]!)), 0) / largest;
      }),
    );
  };
  return {
    losses: Math.max(...lossesOf(one).map((loss, step) => Math.abs(loss - lossesOf(other)[step]!) / Math.abs(loss))),
    gradients: Math.max(...one.gradients.map((gradients, step) => of(gradients, other.gradients[step]!))),
    parameters: of(one.parameters, other.parameters),
  };
}

/** Of all steps, and of the last evaluation. */
function lossesOf({ losses, summary }: Result): readonly number[] {
  return [...losses, summary.evaluations.held!.loss!];
}

const PLAIN = { featureCache: "off", savings: only() } as const;

describe.each([
  ["wasm", true],
  ["wasm", false],
  ["cpu", true],
] as const)("on %s, language model frozen: %s,", (backend, isFrozen) => {
  let plain: Result;
  beforeAll(async () => {
    plain = await train(backend, isFrozen, PLAIN);
    expect(plain.losses).toHaveLength(3);
    expect(plain.summary.numbers).toMatchObject({ rowsSkipped: 0, rowsLastLayer: 0, rowsLogits: 0, rowsUnrecorded: 0 });
  });

  it.each(CASES)("%s changes no loss, no gradient and no parameter", async (_, number, options) => {
    const result = await train(backend, isFrozen, options);
    const found = difference(plain, result);
    // Nothing before an image may be left unrecorded where the language model trains.
    const isLeftOut = number !== "rowsPrefix" || isFrozen;
    expect(result.summary.numbers[number]! > 0).toBe(isLeftOut);
    expect(Math.max(found.losses, found.gradients, found.parameters)).toBeLessThan(TOLERANCE);
  });

  // Pure JavaScript is slow, and has no other way to leave things out than WASM.
  if (backend === "wasm")
    it("each saving can be switched off by itself", async () => {
      for (const name of NAMES) {
        const found = difference(
          plain,
          await train(backend, isFrozen, { featureCache: "on", savings: { [name]: false } }),
        );
        expect(Math.max(found.losses, found.gradients, found.parameters), name).toBeLessThan(TOLERANCE);
      }
    });

  it("blocks that are computed again see the prompts too", async () => {
    const found = difference(plain, await train(backend, isFrozen, {}, { activationCheckpointing: "on" }));
    expect(Math.max(found.losses, found.gradients, found.parameters)).toBeLessThan(TOLERANCE);
  });
});

describe("the summary", () => {
  it("says what each saving left out", async () => {
    const { numbers, lines } = (await train("wasm", true, { featureCache: "on" })).summary;
    for (const name of [
      "rowsPadding",
      "rowsTail",
      "rowsPrefix",
      "rowsUnrecorded",
      "rowsLastLayer",
      "rowsLogits",
      "releasedBytes",
    ])
      expect(numbers[name], name).toBeGreaterThan(0);
    expect(
      lines.some((line) =>
        new RegExp(
          String.raw`^Rows: \d+% of the language model's were not computed: padding \d+%, behind the answ` +
            String.raw`er [\d.]+%, prompt prefix [\d.]+%\.$`,
        ).test(line),
      ),
    ).toBe(true);
  });

  it("holds for each phase: prompts are recorded from the step on at which the language model trains", async () => {
    const freeze = { freezeMultiModalProjector: false, components: { languageModel: { unfreezeAtStep: 2 } } } as Freeze;
    const [plain, saved, frozen] = [
      await train("wasm", freeze, PLAIN),
      await train("wasm", freeze, {}),
      await train("wasm", true, {}),
    ];
    const found = difference(plain, saved);
    expect(Math.max(found.losses, found.gradients, found.parameters)).toBeLessThan(TOLERANCE);
    expect(saved.summary.numbers.rowsPrefix).toBeGreaterThan(0);
    expect(saved.summary.numbers.rowsPrefix).toBeLessThan(frozen.summary.numbers.rowsPrefix!);
  });

  it("has no prompt prefix where the language model trains", async () => {
    expect((await train("wasm", false, { featureCache: "on" })).summary.numbers).toMatchObject({
      rowsPrefix: 0,
      rowsUnrecorded: 0,
    });
  });
});
