import "@tensorflow/tfjs-backend-cpu";
import {
  API_VERSION,
  definePlugin,
  memoryEnsembles,
  openSafetensors,
  planReport,
  Trainer,
  type Ensemble,
  type Plugin,
  type TrainerOptions,
} from "@thaw/core";
import freezePolicy, { type FreezePolicyOptions } from "@thaw/plugin-freeze-policy";
import {
  conformance,
  runDifference,
  runTiny,
  tinyModel,
  tinySource,
  tinyTrainerOptions,
  withTempFolder,
} from "@thaw/testing";
import { memory, setBackend } from "@tensorflow/tfjs-core";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { lora, saveAdapter } from "./plugin.js";

let before = 0;
beforeAll(async () => {
  await setBackend("cpu");
});
beforeEach(() => {
  before = memory().numTensors;
});
afterEach(() => {
  expect(memory().numTensors).toBe(before);
});

const ADAPTED: FreezePolicyOptions = {
  freezeMultiModalProjector: false,
  components: { language_model: { lora: { rank: 2, dropout: 0.3, targetModules: ["q_proj", "down_proj"] } } },
};
const plugins = (freeze: FreezePolicyOptions = ADAPTED): Plugin[] => [freezePolicy(freeze), lora()];
const options = (more: Partial<TrainerOptions> = {}, freeze?: FreezePolicyOptions): TrainerOptions =>
  tinyTrainerOptions({ plugins: plugins(freeze), ...more });
const plan = async (freeze: FreezePolicyOptions, extra: readonly Plugin[] = [lora()]) =>
  new Trainer({ model: tinyModel(), plugins: [freezePolicy(freeze), ...extra] }).plan();

it("lets adapters learn at the rate of the layer that they change, where rates decay from layer to layer", async () => {
  const freeze: FreezePolicyOptions = {
    components: { language_model: { lora: { rank: 2, targetModules: ["q_proj"] } } },
  };
  const trained = async (learningRate: number, layerDecay: number): Promise<ReadonlyMap<string, Float32Array>> => {
    const end = new Map<string, Float32Array>();
    const look: Plugin = {
      name: "Look",
      apiVersion: API_VERSION,
      apply: (trainer) => {
        trainer.hooks.done.tapPromise("Look", async (_, { plan: { phases }, readParameter }) => {
          for (const { name, trainable } of phases[0]!.entries) if (trainable) end.set(name, await readParameter(name));
        });
      },
    };
    const training = { learningRate, layerDecay, maxSteps: 1, optimizer: { type: "sgd", clipNorm: null } } as const;
    await new Trainer(options({ plugins: [...plugins(freeze), look], training }, freeze)).run();
    return end;
  };
  const [start, plain, decayed] = [await trained(0, 1), await trained(0.5, 1), await trained(0.5, 0.5)];
  const layers = tinyModel().segments.filter(({ name }) => /^language_model\.layers\.\d+$/.test(name)).length;
  const moved = new Set<number>();
  for (const [name, values] of plain) {
    const layer = Number(/layers\.(\d+)\./.exec(name)![1]);
    for (const [at, value] of values.entries()) {
      const change = value - start.get(name)![at]!;
      expect(decayed.get(name)![at]! - start.get(name)![at]!).toBeCloseTo(change * 0.5 ** (layers - layer), 6);
      if (Math.abs(change) > 1e-4) moved.add(layer);
    }
  }
  expect([...moved].toSorted((left, right) => left - right)).toEqual(
    Array.from({ length: layers }, (_, layer) => layer),
  );
});

describe("the plan with adapters", () => {
  it("shows the component as adapter, the base frozen, and trained segments where the adapters are", async () => {
    const planned = await plan({
      components: { language_model: { lora: { targetModules: ["layers.1.self_attn.q_proj"] } } },
    });
    expect(planned.findings).toEqual([]);
    expect(planReport(planned).components.map(({ name, state, flows }) => [name, state, flows])).toEqual([
      ["vision_tower", "frozen", ["prefix"]],
      ["multi_modal_projector", "frozen", ["prefix"]],
      ["language_model", "adapter", ["prefix", "trained", "through"]],
    ]);
    expect(planned.plan.phases[0]!.entries.filter(({ trainable }) => trainable).map(({ name }) => name)).toEqual(
      ["A", "B"].map((matrix) => `language_model.layers.1.self_attn.q_proj.lora_${matrix}.weight`),
    );
    expect(planned.groups.map(({ name }) => name)).toEqual(["language_model"]);
  });

  it("keeps the finding where no plugin claims adapters, and gives way to a flag that freezes", async () => {
    expect((await plan({ components: { language_model: { lora: {} } } }, [])).findings.map(({ rule }) => rule)).toEqual(
      ["adapter-without-plugin"],
    );
    const frozen = await plan({
      freezeMultiModalProjector: false,
      freezeLlm: true,
      components: { language_model: { lora: {} } },
    });
    expect(frozen.findings.map(({ rule }) => rule)).toEqual(["setting-for-frozen-component"]);
    expect(frozen.parameters).toHaveLength(tinyModel().parameters.length);
    const wrong = await plan({ components: { language_model: { lora: { targetModules: ["queries"] } } } });
    expect(wrong.findings.map(({ rule }) => rule)).toEqual(["selector-matches-nothing"]);
  });

  it("lets only one plugin make adapters", () => {
    expect(lora().claims!.exclusive).toEqual(["adapters"]);
  });
});

describe("a run with adapters", () => {
  it("lowers the loss, moves adapters and projector alone, and proves the base untouched", async () => {
    const start = new Map<string, Float32Array>();
    for await (const { name, values } of tinyModel().load(tinyModel().parameters.map(({ name }) => name)))
      start.set(name, values);
    const run = await runTiny(options({ training: { maxSteps: 12, learningRate: 0.05, microBatchSize: 4 } }));
    expect(run.losses.at(-1)).toBeLessThan(run.losses[0]!);
    const moved = [...run.parameters]
      .filter(([name, values]) => values.some((value, index) => value !== start.get(name)![index]))
      .map(([name]) => name);
    expect(moved.length).toBeGreaterThan(0);
    expect(moved.every((name) => name.startsWith("multi_modal_projector"))).toBe(true);
  });

  it("has the loss of the base before the first step", async () => {
    const [adapted, plain] = [
      await runTiny(options({ training: { maxSteps: 1 } })),
      await runTiny(options({ training: { maxSteps: 1 } }, { freezeMultiModalProjector: false })),
    ];
    expect(adapted.losses[0]).toBeCloseTo(plain.losses[0]!, 6);
  });

  it("is the same whether one micro-batch or two make a step, without dropout", async () => {
    const freeze: FreezePolicyOptions = { components: { language_model: { lora: { rank: 2 } } } };
    const run = async (microBatchSize: number, gradientAccumulationSteps: number) => {
      const end = new Map<string, Float32Array>();
      const made = options(
        {
          data: { train: tinySource({ sampleCount: 8 }) },
          training: { maxSteps: 3, microBatchSize, gradientAccumulationSteps, evaluateEverySteps: undefined },
        },
        freeze,
      );
      const trainer = new Trainer(made);
      const losses: number[] = [];
      trainer.hooks.afterStep.tap("Test", ({ loss }) => {
        losses.push(loss);
      });
      trainer.hooks.done.tapPromise("Test", async (_, { plan: { phases }, readParameter }) => {
        for (const { name, trainable } of phases[0]!.entries) if (trainable) end.set(name, await readParameter(name));
      });
      await trainer.run();
      return { losses, parameters: end, steps: 3, stopReason: "" };
    };
    expect(runDifference(await run(8, 1), await run(4, 2))).toBeLessThan(1e-5);
  });

  it.each([
    ["of the language model", ADAPTED, {}],
    ["with what the optimizer keeps shared out", ADAPTED, { optimizer: { zeroStage: 1, clipNorm: 0.1 } }],
    ["with gradients shared out", ADAPTED, { optimizer: { zeroStage: 2, clipNorm: 0.1 } }],
    ["with blocks that are computed again", ADAPTED, { activationCheckpointing: "on" }],
    [
      "of tower, projector and language model",
      {
        components: Object.fromEntries(
          ["vision_tower", "multi_modal_projector", "language_model"].map((name) => [
            name,
            { lora: { rank: 2, dropout: 0.3 } },
          ]),
        ),
      },
      {},
    ],
  ] as const)(
    "gives four processes of 2 what one of 8 gives, and one that accumulates, with dropout %s",
    async (_, freeze, training) => {
      const run = (microBatchSize: number, gradientAccumulationSteps: number, ensemble?: Ensemble) => {
        const connect = definePlugin({
          name: "Connect",
          apiVersion: API_VERSION,
          apply: ({ hooks }) => hooks.resolveEnsemble.tap("Connect", () => ensemble),
        })();
        return runTiny(
          options({
            processes: ensemble?.size ?? 1,
            plugins: [connect, ...plugins(freeze)],
            data: { train: tinySource({ sampleCount: 13, textOnlyEvery: 4 }) },
            training: { ...training, maxSteps: 4, learningRate: 0.05, microBatchSize, gradientAccumulationSteps },
          }),
        );
      };
      const [whole, ...others] = await Promise.all([
        run(8, 1),
        run(2, 4),
        ...memoryEnsembles(4).map((one) => run(2, 1, one)),
      ]);
      for (const other of others) expect(runDifference(whole!, other)).toBeLessThan(1e-5);
    },
  );

  it("resumes with dropout as if it had never stopped, and refuses another scale", async () => {
    const whole = await runTiny(options());
    await withTempFolder(async (output) => {
      const first = await runTiny(options({ output }), 2);
      const from = join(output, (await readdir(output))[0]!);
      const other: FreezePolicyOptions = {
        ...ADAPTED,
        components: { language_model: { lora: { rank: 2, alpha: 32, targetModules: ["q_proj", "down_proj"] } } },
      };
      await expect(runTiny(options({ output, resume: { from } }, other))).rejects.toMatchObject({
        code: "THAW_LORA_RESUME_MISMATCH",
        message: expect.stringContaining("by 2 then, 16 now") as string,
      });
      const rest = await runTiny(options({ output, resume: { from } }));
      expect(runDifference(whole, { ...rest, losses: [...first.losses, ...rest.losses] })).toBe(0);
    });
  });

  it("gives the same with blocks that are computed again in backward", async () => {
    const [kept, again] = [
      await runTiny(options()),
      await runTiny(options({ training: { activationCheckpointing: "on" } })),
    ];
    expect(runDifference(kept, again)).toBeLessThan(1e-6);
  });

  it("starts and ends by schedule", async () => {
    const freeze: FreezePolicyOptions = {
      freezeMultiModalProjector: false,
      components: { language_model: { lora: { rank: 2 }, unfreezeAtStep: 2, warmupSteps: 1 } },
    };
    const norms: string[] = [];
    const trainer = new Trainer(options({}, freeze));
    trainer.hooks.gradients.tap("Test", (gradients, { step }) => {
      norms.push(`${step}: ${[...gradients.keys()].some((name) => name.includes("lora"))}`);
      return gradients;
    });
    await trainer.run();
    expect(norms).toEqual(["0: false", "1: false", "2: true", "3: true", "4: true", "5: true"]);
  });

  it("writes the adapter at its end, where it is asked to and a folder is written", async () => {
    await withTempFolder(async (output) => {
      const summary = await new Trainer(options({ output })).run();
      const folder = join(summary.runFolder!, "final/adapter");
      expect((await readdir(folder)).toSorted()).toEqual([
        "adapter_config.json",
        "adapter_model.safetensors",
        "thaw-manifest.json",
      ]);
      expect(summary.lines).toContain(`Adapter in PEFT's layout: ${folder}.`);
      const silent = await new Trainer(
        options({ output, plugins: [freezePolicy(ADAPTED), lora({ save: false })] }),
      ).run();
      expect(existsSync(join(silent.runFolder!, "final/adapter"))).toBe(false);
      const again = tinyTrainerOptions({ plugins: [freezePolicy(ADAPTED), lora({ adapter: folder })] });
      const session = await new Trainer(again).open();
      await session.close();
    });
  });
});

describe("a session with adapters", () => {
  it("generates and measures with them, and saves a checkpoint that does the same without the plugin", async () => {
    await withTempFolder(async (output) => {
      const summary = await new Trainer(options({ output, training: { maxSteps: 8, learningRate: 0.1 } })).run();
      const [trained, base] = [await new Trainer(options()).open(), await new Trainer(options()).open()];
      await trained.loadParameters(join(summary.runFolder!, "final/trained.safetensors"));
      await trained.save(join(output, "merged"));
      const reader = await openSafetensors(join(output, "merged/model.safetensors"));
      const load = async function* load(names: readonly string[]) {
        for (const name of names) yield { name, values: await reader.readFloat32(name) };
      };
      const merged = await new Trainer(tinyTrainerOptions({ model: { ...tinyModel(), load } })).open();
      await reader.close();
      for await (const batch of tinySource({ sampleCount: 3, seed: 4 }).batches({
        epoch: 0,
        seed: 0,
        microBatchSize: 3,
        shuffle: false,
      })) {
        const [adapted, plain, alone] = [await trained.loss(batch), await base.loss(batch), await merged.loss(batch)];
        expect(Math.abs(adapted.lossSum - plain.lossSum)).toBeGreaterThan(0.01);
        expect(alone.lossSum).toBeCloseTo(adapted.lossSum, 4);
        expect(await merged.generate(batch, { maxNewTokens: 4 })).toEqual(
          await trained.generate(batch, { maxNewTokens: 4 }),
        );
      }
      for (const session of [trained, base, merged]) await session.close();
    });
  });

  it("has nothing to write without adapters", async () => {
    const trainer = new Trainer(tinyTrainerOptions({ plugins: [freezePolicy({ trainMmProjOnly: true }), lora()] }));
    await expect(
      saveAdapter(trainer, "anywhere", { readParameter: async () => new Float32Array() }),
    ).rejects.toMatchObject({ code: "THAW_LORA_NO_ADAPTERS" });
  });
});

describe("conformance", () => {
  const checks = [
    ...conformance(() => lora(), { trainer: () => ({ plugins: [freezePolicy(ADAPTED)] }) }),
    ...conformance(() => lora()),
  ];
  it.each(
    checks.map((check, index) => [check.name, index < checks.length / 2 ? "with adapters" : "without", check] as const),
  )("%s, %s", async (_name, _how, check) => {
    await check.run();
  });
});
