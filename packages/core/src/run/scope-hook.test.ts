import { linear, scale } from "@thaw/autograd";
import type { Scope } from "@thaw/contracts";
import { describe, expect, it } from "vitest";
import { toyModel } from "../toy/toy-model.js";
import { toySource } from "../toy/toy-source.js";
import { runToy, tapped, toyTrainer, trainOnly } from "../toy/toy-trainer.js";
import type { ScopeContext } from "../api/contexts.js";
import { useToyTensors } from "../toy/toy-tensors.js";

useToyTensors();

/** A scope whose linear layers give their outputs times a factor, or that reads a parameter of its own. */
function wrapped(
  scope: Scope,
  layer: (x: ReturnType<Scope["linear"]>, name: string, inner: Scope) => ReturnType<Scope["linear"]>,
): Scope {
  return {
    parameter: (name) => scope.parameter(name),
    hasParameter: (name) => scope.hasParameter(name),
    constant: (tensor) => scope.constant(tensor),
    own: (tensor) => scope.own(tensor),
    segment: (name, inputs, run) => scope.segment(name, inputs, run),
    training: scope.training,
    linear: (x, name) => layer(x, name, scope),
  };
}

describe("the scope hook", () => {
  it("is told each pass's purpose, step and micro-batch", async () => {
    const passes: ScopeContext[] = [];
    const watch = tapped("Watch", ({ hooks }) => {
      hooks.scope.tap("Watch", (scope, context) => {
        passes.push(context);
        return scope;
      });
      hooks.batch.tapPromise("Watch", async (batch, { runSegment, purpose }) => {
        if (purpose === "train" && passes.length === 0) (await runSegment("tower", batch.media)).tensor.dispose();
        return batch;
      });
    });
    await runToy({
      plugins: [watch],
      data: { train: toySource({ sampleCount: 6 }), evaluation: { held: toySource({ sampleCount: 1 }) } },
      training: { epochs: 1, microBatchSize: 2, gradientAccumulationSteps: 2 },
    });
    expect(passes.map(({ purpose, step, microBatch }) => `${purpose} ${step}.${microBatch}`)).toEqual([
      "evaluate 0.0",
      "train 0.0",
      "train 0.1",
      "train 1.0",
      "evaluate 2.0",
    ]);
    passes.length = 0;
    await runToy({
      plugins: [watch],
      data: { train: toySource({ sampleCount: 2 }) },
      training: { maxSteps: 1, microBatchSize: 2 },
    });
    expect(passes.map(({ purpose }) => purpose)).toEqual(["segment", "train"]);
  });

  it("lets a plugin change a layer in training, evaluation and sessions alike", async () => {
    const half = tapped("Half", ({ hooks }) => {
      hooks.scope.tap("Half", (scope) =>
        wrapped(scope, (x, name, inner) => scale(inner.linear(x, name), name === "projector.linear" ? 0 : 1)),
      );
    });
    const blind = {
      ...toyModel(),
      load: async function* load(names: readonly string[]) {
        for await (const part of toyModel().load(names))
          yield part.name.startsWith("projector") ? { ...part, values: part.values.fill(0) } : part;
      },
    };
    const data = { train: toySource({ sampleCount: 3 }), evaluation: { held: toySource({ sampleCount: 3 }) } };
    const training = { maxSteps: 1, microBatchSize: 3, learningRate: 0 };
    const changed = await runToy({ data, plugins: [half], training });
    const wanted = await runToy({ data, model: blind, training });
    expect(changed.losses[0]).toBeCloseTo(wanted.losses[0]!, 6);
    expect(changed.summary.evaluations.held!.loss).toBeCloseTo(wanted.summary.evaluations.held!.loss!, 6);
  });

  it("gives gradients to parameters that only the wrapper reads", async () => {
    const add = tapped("Add", ({ hooks }) => {
      hooks.parameters.tap("Add", (parameters) => [
        ...parameters,
        {
          name: "projector.linear.extra.weight",
          shape: [5, 3],
          dtype: "F32",
          initialize: async () => new Float32Array(15),
        },
      ]);
      hooks.scope.tap("Add", (scope) =>
        wrapped(scope, (x, name, inner) =>
          name === "projector.linear"
            ? linear(x, inner.parameter("projector.linear.extra.weight"))
            : inner.linear(x, name),
        ),
      );
    });
    const trainer = toyTrainer({ plugins: [add], training: { maxSteps: 2 } });
    let end: Float32Array | undefined;
    trainer.hooks.done.tapPromise("Read", async (_, { readParameter }) => {
      end = await readParameter("projector.linear.extra.weight");
    });
    await trainer.run();
    expect(end!.some((value) => value !== 0)).toBe(true);
  });

  it("frees the batch when a tap throws", async () => {
    const fail = tapped("Fail", ({ hooks }) => {
      hooks.scope.tap("Fail", () => {
        throw new Error("no");
      });
    });
    await expect(toyTrainer({ plugins: [fail] }).run()).rejects.toMatchObject({
      code: "THAW_CORE_PLUGIN_FAILED",
      details: { hook: "scope" },
    });
  });
});

describe("values of a model's own parameters", () => {
  it("may start from elsewhere", async () => {
    const start = tapped("Start", ({ hooks }) => {
      hooks.parameters.tap("Start", (parameters) =>
        parameters.map((one) =>
          one.name === "projector.linear.bias" ? { ...one, initialize: () => Float32Array.of(1, 2, 3, 4, 5) } : one,
        ),
      );
    });
    const { parameters } = await runToy({ plugins: [trainOnly([0, ["decoder"]]), start], training: { maxSteps: 1 } });
    expect([...parameters.get("projector.linear.bias")!]).toEqual([1, 2, 3, 4, 5]);
  });

  it("are exported as plugins leave them", async () => {
    const saved = new Map<string, Float32Array>();
    const model = {
      ...toyModel(),
      save: async (_folder: string, values: (name: string) => Promise<Float32Array>) => {
        for (const { name } of toyModel().parameters) saved.set(name, await values(name));
      },
    };
    const doubled = tapped("Double", ({ hooks }) => {
      hooks.exported.tapPromise("Double", async (values, { parameter, readParameter }) =>
        parameter.name === "projector.linear.bias"
          ? (await readParameter("projector.linear.bias")).map((value) => 2 * value)
          : values,
      );
    });
    const session = await toyTrainer({ model, plugins: [doubled] }).open();
    await session.save("anywhere");
    const bias = await session.readParameter("projector.linear.bias");
    expect(saved.get("projector.linear.bias")).toEqual(bias.map((value) => 2 * value));
    expect(saved.get("tower.linear.weight")).toEqual(await session.readParameter("tower.linear.weight"));
    await session.close();
  });
});
