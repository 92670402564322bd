import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { silentLogger } from "../api/logger.js";
import { toySource } from "../toy/toy-source.js";
import { runToy, tapped, trainOnly } from "../toy/toy-trainer.js";
import type { TrainerOptions } from "../api/trainer-options.js";
import { deadGradientLines } from "./dead-gradients.js";
import { ElementwiseOptimizer } from "../optimize/elementwise.js";
import { adamwRule } from "../optimizers/adamw.js";
import { useToyTensors } from "../toy/toy-tensors.js";

useToyTensors();

async function dead(options: Partial<TrainerOptions>) {
  const warnings: string[] = [];
  const logger = {
    ...silentLogger,
    warn: (_: object | string, message?: string) => {
      warnings.push(message ?? "");
    },
  };
  const { summary } = await runToy({
    logger,
    ...options,
    training: { maxSteps: 5, deadGradientSteps: 3, ...options.training },
  });
  return {
    summary,
    warnings,
    found: summary.deadGradients.map(({ name, kind, fromStep, steps, reason }) => ({
      name,
      kind,
      fromStep,
      steps,
      reason,
    })),
  };
}

const projector = ["projector.linear.weight", "projector.linear.bias"];

describe("trained parameters without gradient", () => {
  it("are named once, with the steps and the likely reason, when the model never uses them", async () => {
    const { summary, warnings, found } = await dead({});
    expect(found).toEqual([
      { name: "tower.unused.weight", kind: "none", fromStep: 0, steps: 5, reason: "the model never uses it" },
    ]);
    expect(warnings).toEqual([
      "No gradient for 3 steps: 1 trained parameter of tower (tower.unused.weight). The likely reason: the model " +
        "never uses it.",
    ]);
    expect(deadGradientLines(summary.deadGradients)).toEqual([
      "No gradient for 5 steps: 1 trained parameter of tower (tower.unused.weight). The likely reason: the model " +
        "never uses it.",
    ]);
  });

  it("are not looked for when told so, nor found before their time, nor where all is well", async () => {
    expect((await dead({ training: { deadGradientSteps: null } })).found).toEqual([]);
    expect((await dead({ training: { deadGradientSteps: 6 } })).found).toEqual([]);
    expect((await dead({ plugins: [trainOnly([0, ["projector", "decoder"]])] })).found).toEqual([]);
  });

  it("are behind a stop", async () => {
    const stop = tapped("Stop", ({ hooks }) => {
      hooks.plan.tap("Stop", (plan) => ({
        phases: [
          {
            fromStep: 0,
            entries: plan.phases[0]!.entries.map((entry) => ({ ...entry, trainable: entry.component !== "tower" })),
            stopGradientAfter: ["projector"],
          },
        ],
      }));
    });
    const { found } = await dead({ plugins: [stop] });
    expect(found).toEqual(
      projector.map((name) => ({
        name,
        kind: "none",
        fromStep: 0,
        steps: 5,
        reason: "the plan stops gradients after projector",
      })),
    );
  });

  it("had nothing to read", async () => {
    const { found, warnings } = await dead({
      data: { train: toySource({ textOnlyEvery: 1 }) },
      plugins: [trainOnly([0, ["projector", "decoder"]])],
    });
    expect(found.map(({ name, reason }) => [name, reason])).toEqual(
      projector.map((name) => [name, "no sample of these steps had pixels, which its part of the model reads"]),
    );
    expect(warnings).toHaveLength(1);
    expect(
      (
        await dead({
          data: { train: toySource({ textOnlyEvery: 2 }) },
          plugins: [trainOnly([0, ["projector", "decoder"]])],
        })
      ).found,
    ).toEqual([]);
  });

  it("were robbed of it by a plugin", async () => {
    const zero = tapped("Zero", ({ hooks }) => {
      hooks.gradients.tap(
        "Zero",
        (gradients) =>
          new Map(
            [...gradients].map(([name, gradient]) => [
              name,
              name.startsWith("projector.") ? tf.zerosLike(gradient) : gradient,
            ]),
          ),
      );
    });
    const { found } = await dead({ plugins: [trainOnly([0, ["projector", "decoder"]]), zero] });
    expect(found).toEqual(
      projector.map((name) => ({
        name,
        kind: "zero",
        fromStep: 0,
        steps: 5,
        reason: "its gradient is 0 everywhere; Zero may have made it so",
      })),
    );
    const hidden = tapped("Hidden", ({ hooks }) => {
      hooks.scope.tap("Hidden", (scope) => ({
        training: scope.training,
        hasParameter: (name) => scope.hasParameter(name),
        constant: (tensor) => scope.constant(tensor),
        own: (tensor) => scope.own(tensor),
        parameter: (name) => scope.parameter(name),
        segment: (name, inputs, run) => scope.segment(name, inputs, run),
        linear: (x, name) =>
          name === "projector.linear" ? scope.own(tf.zeros([x.shape[0]!, 5])) : scope.linear(x, name),
      }));
    });
    const replaced = await dead({ plugins: [trainOnly([0, ["projector", "decoder"]]), hidden] });
    expect(replaced.found.map(({ name, reason }) => [name, reason])).toEqual(
      projector.map((name) => [name, "the loss does not depend on it; Hidden may have taken its place"]),
    );
  });

  it("are counted from where they start to train", async () => {
    const { found } = await dead({ plugins: [trainOnly([0, ["projector"]], [1, ["projector", "tower"]])] });
    expect(found).toMatchObject([{ name: "tower.unused.weight", fromStep: 1, steps: 4 }]);
  });
});

describe("trainability", () => {
  it.each(["planned", "beforeRun", "beforeStep"] as const)(
    "cannot be changed in the %s hook: the plugin is named",
    async (hook) => {
      const bad = tapped("Bad", ({ hooks }) => {
        hooks[hook].tap(
          "Bad",
          ({
            plan,
          }: {
            readonly plan: { readonly phases: readonly { readonly entries: readonly { trainable: boolean }[] }[] };
          }) => {
            plan.phases[0]!.entries[0]!.trainable = true;
          },
        );
      });
      await expect(runToy({ plugins: [trainOnly([0, ["projector"]]), bad] })).rejects.toMatchObject({
        code: "THAW_CORE_PLUGIN_FAILED",
        details: { plugin: "Bad", hook },
        message: expect.stringContaining("The plugin Bad failed"),
      });
    },
  );

  it("cannot be changed by an optimizer: its plugin is named", async () => {
    const bad = tapped("Bad", ({ hooks }) => {
      hooks.resolveOptimizer.tap("Bad", () => ({
        name: "greedy",
        slots: () => new Map(),
        restore: () => {},
        drop: () => {},
        dispose: () => {},
        update: (parameters) =>
          new Map([
            ...[...parameters].map(([name, tensor]) => [name, tf.clone(tensor)] as const),
            ["tower.linear.bias", tf.zeros([3])] as const,
          ]),
      }));
    });
    await expect(runToy({ plugins: [trainOnly([0, ["projector"]]), bad] })).rejects.toMatchObject({
      code: "THAW_CORE_OPTIMIZER_UPDATED_FROZEN",
      details: { plugin: "Bad", names: ["tower.linear.bias"] },
    });
  });

  it("cannot be changed by a plugin's AdamW: it is the plugin's optimizer all the same", async () => {
    class Greedy extends ElementwiseOptimizer {
      override *update(
        ...given: Parameters<ElementwiseOptimizer["update"]>
      ): ReturnType<ElementwiseOptimizer["update"]> {
        yield* super.update(...given);
        yield ["tower.linear.bias", tf.zeros([3])];
      }
    }
    const bad = tapped("Bad", ({ hooks }) => {
      hooks.resolveOptimizer.tap("Bad", () => new Greedy(adamwRule({ beta1: 0.9, beta2: 0.999, epsilon: 1e-8 })));
    });
    await expect(runToy({ plugins: [trainOnly([0, ["projector"]]), bad] })).rejects.toMatchObject({
      code: "THAW_CORE_OPTIMIZER_UPDATED_FROZEN",
      details: { plugin: "Bad", names: ["tower.linear.bias"] },
    });
  });

  it("does not follow from flows that a plugin was shown", async () => {
    const bad = tapped("Bad", ({ hooks }) => {
      hooks.batch.tap("Bad", (batch, { flows }) => {
        (flows as Map<string, string>).set("projector", "prefix");
        return batch;
      });
    });
    const plain = await runToy({ training: { maxSteps: 2 } });
    expect((await runToy({ training: { maxSteps: 2 }, plugins: [bad] })).losses).toEqual(plain.losses);
  });
});
