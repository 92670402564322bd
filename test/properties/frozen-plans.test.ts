import "@tensorflow/tfjs-backend-cpu";
import { memory, setBackend } from "@tensorflow/tfjs-core";
import { API_VERSION, definePlugin, Trainer } from "@thaw/core";
import freezePolicy, { type FreezePolicyOptions } from "@thaw/plugin-freeze-policy";
import { tinyModel, tinySource } from "@thaw/testing";
import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";

type State = NonNullable<FreezePolicyOptions["components"]>[string];
const common: readonly State[] = [
  "frozen",
  "train",
  { match: ["weight"] },
  { match: ["bias"] },
  { unfreezeAtStep: 4 },
  { freezeAtStep: 6 },
];
const blocks: readonly State[] = [
  { lastBlocks: 1 },
  { firstBlocks: 1 },
  { match: ["layers.*.*.weight"] },
  { unfreezeAtStep: 2, freezeAtStep: 5, lastBlocks: 1 },
];
const flag = fc.option(fc.boolean(), { nil: undefined });
const freeze: fc.Arbitrary<FreezePolicyOptions> = fc.oneof(
  fc.record({
    components: fc.record(
      {
        visionTower: fc.constantFrom(...common, ...blocks),
        multiModalProjector: fc.constantFrom(...common),
        languageModel: fc.constantFrom(...common, ...blocks),
      },
      { requiredKeys: [] },
    ) as fc.Arbitrary<Record<string, State>>,
  }),
  fc.record({
    freezeVisionTower: flag,
    freezeMultiModalProjector: flag,
    freezeLanguageModel: flag,
    trainMmProjOnly: flag,
  }),
);

beforeAll(async () => {
  await setBackend("cpu");
});

it("keeps every frozen parameter bit-identical after ten steps, for random plans, and moves what trains", async () => {
  const before = memory().numTensors;
  await fc.assert(
    fc.asyncProperty(freeze, async (options) => {
      const start = new Map<string, Float32Array>();
      const end = new Map<string, Float32Array>();
      const watch = definePlugin({
        name: "Watch",
        apiVersion: API_VERSION,
        apply({ hooks, options: { model } }) {
          const read = async (
            into: Map<string, Float32Array>,
            values: (name: string) => Promise<Float32Array>,
          ): Promise<void> => {
            for (const { name } of model.parameters) into.set(name, Float32Array.from(await values(name)));
          };
          hooks.beforeRun.tapPromise("Watch", (context) => read(start, context.readParameter));
          hooks.done.tapPromise("Watch", (_, context) => read(end, context.readParameter));
        },
      });
      const trainer = new Trainer({
        model: tinyModel(),
        data: { train: tinySource({ sampleCount: 8 }) },
        plugins: [freezePolicy(options), watch()],
        training: { maxSteps: 10, microBatchSize: 4, learningRate: 0.01, optimizer: { weightDecay: 0.1 } },
        seed: 1,
      });
      const planned = await trainer.plan();
      fc.pre(!planned.isRefused);
      const summary = await trainer.run();
      const trainable = new Set(
        planned.plan.phases.flatMap(({ entries }) =>
          entries.filter((entry) => entry.trainable).map(({ name }) => name),
        ),
      );
      for (const [name, values] of start) {
        const same = Buffer.from(values.buffer).equals(Buffer.from(end.get(name)!.buffer));
        if (!trainable.has(name)) expect(same, `${name} moved under ${JSON.stringify(options)}`).toBe(true);
      }
      const moved = [...trainable].some(
        (name) => !Buffer.from(start.get(name)!.buffer).equals(Buffer.from(end.get(name)!.buffer)),
      );
      expect(moved, JSON.stringify(options)).toBe(true);
      expect(summary.frozenProof.every(({ isUnchanged }) => isUnchanged)).toBe(true);
    }),
    { numRuns: 25 },
  );
  expect(memory().numTensors).toBe(before);
});
