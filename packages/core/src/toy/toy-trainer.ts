import type { Plan } from "@thaw/contracts";
import { definePlugin } from "../api/define-plugin.js";
import { API_VERSION, type Plugin } from "../api/plugin.js";
import { Trainer } from "../run/trainer.js";
import type { TrainerOptions } from "../api/trainer-options.js";
import { toyModel } from "./toy-model.js";
import { toySource } from "./toy-source.js";

/** A plugin that trains only the named components, or from a step on others. */
export function trainOnly(...phases: readonly (readonly [number, readonly string[]])[]): Plugin {
  return definePlugin({
    name: "TrainOnly",
    apiVersion: API_VERSION,
    apply: (trainer) => {
      trainer.hooks.plan.tap("TrainOnly", (plan): Plan => ({
        phases: phases.map(([fromStep, components]) => ({
          fromStep,
          entries: plan.phases[0]!.entries.map((entry) => ({
            ...entry,
            trainable: components.includes(entry.component),
            reason: { text: "the test says so", settings: [] },
          })),
        })),
      }));
    },
  })();
}

/** A plugin from a function. */
export function tapped(name: string, apply: (trainer: Trainer) => void): Plugin {
  return { name, apiVersion: API_VERSION, apply };
}

/** A trainer of the toy model: two epochs of ten samples in micro-batches of 4, all parts trained, nothing written. */
export function toyTrainer(options: Partial<TrainerOptions> = {}): Trainer {
  return new Trainer({
    model: toyModel(),
    data: { train: toySource() },
    seed: 5,
    ...options,
    training: { epochs: 2, microBatchSize: 4, learningRate: 0.05, ...options.training },
  });
}

/** Runs a trainer and returns its summary, its losses and all parameters as they are at the end. */
export async function runToy(options: Partial<TrainerOptions> = {}) {
  const losses: number[] = [];
  const parameters = new Map<string, Float32Array>();
  const trainer = toyTrainer({
    ...options,
    plugins: [
      ...(options.plugins ?? []),
      tapped("Recorder", ({ hooks, options: { model } }) => {
        hooks.afterStep.tap("Recorder", ({ loss }) => {
          losses.push(loss);
        });
        hooks.done.tapPromise("Recorder", async (_, { readParameter }) => {
          for (const { name } of model.parameters) parameters.set(name, await readParameter(name));
        });
      }),
    ],
  });
  return { summary: await trainer.run(), losses, parameters, trainer };
}
