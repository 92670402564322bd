import "@tensorflow/tfjs-backend-cpu";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { dequantize, FROZEN_FORMS, type FrozenForm, layoutOf, quantize, quantizedBytes } from "@thaw/autograd";
import type { LoadedValues, Model } from "@thaw/contracts";
import { beforeAll, describe, expect, it } from "vitest";
import type { Plugin } from "../api/plugin.js";
import { planMemory } from "../plan/plan-report.js";
import { runToy, tapped, toyTrainer, trainOnly } from "../toy/toy-trainer.js";
import { toyModel } from "../toy/toy-model.js";

beforeAll(() => tf.setBackend("cpu"));

const isMatrix = (name: string): boolean => /(linear|layers\.\d+)\.weight$/u.test(name);

/** The toy as a model that says which of its matrices are linear layers; `stored`: as its checkpoint stores them. */
function linearToy(stored?: FrozenForm, change: (loaded: LoadedValues) => LoadedValues = (loaded) => loaded): Model {
  const model = toyModel();
  const shapes = new Map(model.parameters.map(({ name, shape }) => [name, shape as [number, number]]));
  return {
    ...model,
    parameters: model.parameters.map((parameter) => {
      if (!isMatrix(parameter.name)) return parameter;
      const layout = stored && layoutOf(stored, shapes.get(parameter.name)!);
      const form = layout && { dtype: stored.toUpperCase(), quantized: layout };
      return { ...parameter, isLinear: true, ...form };
    }),
    async *load(names) {
      for await (const loaded of model.load(names)) {
        const { name, values } = loaded;
        if (!isMatrix(name)) yield loaded;
        else if (stored === undefined) yield change(loaded);
        else {
          const quantized = quantize(stored, values, shapes.get(name)!);
          yield { name, quantized, values: dequantize(quantized) };
        }
      }
    },
  };
}

/** Only these matrices stay frozen where the projector trains. */
const isFrozen = (name: string): boolean => isMatrix(name) && !name.startsWith("projector");

/** The model whose frozen matrices hold the numbers that the form makes of them, in float32. */
const rounded = (form: FrozenForm): Model => {
  const shapes = new Map(toyModel().parameters.map(({ name, shape }) => [name, shape as [number, number]]));
  return linearToy(undefined, (loaded) =>
    isFrozen(loaded.name)
      ? { ...loaded, values: dequantize(quantize(form, loaded.values, shapes.get(loaded.name)!)) }
      : loaded,
  );
};

const PROJECTOR = trainOnly([0, ["projector"]]);
const training = (frozenPrecision?: FrozenForm) => ({ epochs: 1, ...(frozenPrecision && { frozenPrecision }) });

describe.each(FROZEN_FORMS)("frozen weights in %s", (form) => {
  it("train as float32 of their numbers, to the bit; are proven; and are read as they were", async () => {
    const before = tf.memory().numTensors;
    const plugins = [PROJECTOR];
    const wanted = await runToy({ model: rounded(form), plugins, training: training() });
    const asked = await runToy({ model: linearToy(), plugins, training: training(form) });
    expect(asked.losses).toEqual(wanted.losses);
    expect(asked.parameters.get("projector.linear.weight")).toEqual(wanted.parameters.get("projector.linear.weight"));
    expect(asked.summary.frozenProof.every(({ isUnchanged }) => isUnchanged)).toBe(true);
    const plain = await runToy({ model: linearToy(), plugins, training: training() });
    for (const name of ["tower.linear.weight", "decoder.layers.0.weight"])
      expect(asked.parameters.get(name)).toEqual(plain.parameters.get(name));
    expect(asked.losses).not.toEqual(plain.losses);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("are kept as they are where a later phase trains them", async () => {
    const plugins = [trainOnly([0, ["projector"]], [1, ["projector", "decoder"]])];
    const { trainer } = await runToy({ model: linearToy(), plugins, training: training(form) });
    const planned = await trainer.plan();
    expect(planMemory(planned).get("decoder")!.parameterBytes).toBe(
      4 * planMemory(planned).get("decoder")!.parameterCount,
    );
    expect(planMemory(planned).get("tower")!.parameterBytes).not.toBe(
      4 * planMemory(planned).get("tower")!.parameterCount,
    );
  });

  it("count with their bytes in the plan", async () => {
    const bytesOf = async (frozenPrecision?: FrozenForm, model = linearToy()) => {
      const planned = await toyTrainer({ model, plugins: [PROJECTOR], training: training(frozenPrecision) }).plan();
      expect(planned.findings.filter(({ severity }) => severity === "error")).toEqual([]);
      return planMemory(planned).get("decoder")!.parameterBytes;
    };
    const saved = toyModel()
      .parameters.filter(({ name }) => isFrozen(name) && name.startsWith("decoder"))
      .map(({ shape }) => 4 * shape[0]! * shape[1]! - quantizedBytes(layoutOf(form, shape as [number, number])));
    expect((await bytesOf()) - (await bytesOf(form))).toBe(saved.reduce((sum, bytes) => sum + bytes, 0));
  });

  it("go on from a checkpoint, and not from one of other frozen weights", async () => {
    const output = await mkdtemp(join(tmpdir(), "thaw-forms-"));
    const stopping = tapped("Stop", (trainer) => {
      trainer.hooks.afterStep.tap("Stop", ({ step }) => {
        if (step === 0) trainer.stop("the test says so");
      });
    });
    const run = (frozenPrecision: FrozenForm | undefined, from?: string, plugins: readonly Plugin[] = []) =>
      runToy({
        model: linearToy(),
        plugins: [PROJECTOR, ...plugins],
        training: training(frozenPrecision),
        output,
        ...(from === undefined ? {} : { resume: { from } }),
      });
    try {
      const whole = await run(form);
      const from = (await run(form, undefined, [stopping])).summary.runFolder!;
      await expect(run(undefined, from)).rejects.toMatchObject({ code: "THAW_CORE_BASE_CHANGED" });
      expect((await run(form, from)).parameters).toEqual(whole.parameters);
    } finally {
      await rm(output, { recursive: true });
    }
  });
});

describe("the plan", () => {
  const errorsOf = async (
    model: Model,
    frozenPrecision?: FrozenForm,
    components: readonly string[] = ["projector"],
  ) => {
    const trainer = toyTrainer({ model, plugins: [trainOnly([0, components])], training: training(frozenPrecision) });
    return (await trainer.plan()).findings.filter(({ severity }) => severity === "error");
  };

  it.each([
    ["nothing is frozen", linearToy(), "nf4", ["tower", "projector", "decoder"], "frozen-precision-without-effect"],
    ["no matrix is a linear layer", toyModel(), "int8", ["projector"], "frozen-precision-without-effect"],
    ["the checkpoint has another form", linearToy("nf4"), "int8", ["projector"], "frozen-precision-without-effect"],
    ["what is stored in few bits trains", linearToy("nf4"), undefined, ["decoder"], "quantized-and-trained"],
  ] as const)("is refused where %s", async (_, model, form, components, rule) => {
    expect((await errorsOf(model, form, components)).map((finding) => finding.rule)).toContain(rule);
  });

  it("names where it is said what trains", async () => {
    const setting = { path: "freeze.decoder", value: false, origin: "explicit", file: "thaw.yaml", line: 3 } as const;
    const trainer = toyTrainer({
      model: linearToy("int8"),
      plugins: [
        {
          name: "Said",
          apiVersion: 1,
          apply({ hooks }) {
            hooks.plan.tap("Said", (plan) => ({
              phases: plan.phases.map((phase) => ({
                ...phase,
                entries: phase.entries.map((entry) => ({ ...entry, reason: { text: "said", settings: [setting] } })),
              })),
            }));
          },
        },
      ],
    });
    const finding = (await trainer.plan()).findings.find(({ rule }) => rule === "quantized-and-trained");
    expect(finding).toMatchObject({ settings: [setting], message: expect.stringContaining("in 8 bits") });
  });
});
