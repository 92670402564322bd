import { Trainer, type Plugin, type TrainerOptions } from "@thaw/core";
import { tinyModel } from "./tiny-model.js";
import { tinySource } from "./tiny-source.js";

/** What a tiny run left, for comparing runs. */
export interface TinyRun {
  /** Loss of every step. */
  readonly losses: readonly number[];
  /** Every parameter after the last step. */
  readonly parameters: ReadonlyMap<string, Float32Array>;
  readonly steps: number;
  readonly stopReason: string;
}

/**
 * Options of a short run on the tiny model, with unequal token counts, accumulation and a short last micro-batch;
 * `options` win.
 */
export function tinyTrainerOptions(options: Partial<TrainerOptions> = {}): TrainerOptions {
  return {
    model: tinyModel(),
    seed: 7,
    ...options,
    data: options.data ?? {
      train: tinySource({ sampleCount: 7 }),
      evaluation: { held: tinySource({ name: "held", sampleCount: 4, seed: 2 }) },
    },
    training: {
      maxSteps: 6,
      microBatchSize: 2,
      gradientAccumulationSteps: 2,
      learningRate: 0.01,
      evaluateEverySteps: 2,
      ...options.training,
    },
  };
}

/** Trains and keeps what is needed to compare two runs. `stopAfterStep`: the run is stopped there, as Ctrl-C does. */
export async function runTiny(options: TrainerOptions, stopAfterStep?: number): Promise<TinyRun> {
  const losses: number[] = [];
  const parameters = new Map<string, Float32Array>();
  const recorder: Plugin = {
    name: "TinyRunRecorder",
    apiVersion: 1,
    apply(trainer) {
      trainer.hooks.afterStep.tap("TinyRunRecorder", ({ loss, step }) => {
        losses.push(loss);
        if (step === stopAfterStep) trainer.stop("asked by the test");
      });
      trainer.hooks.done.tapPromise("TinyRunRecorder", async (_, { readParameter }) => {
        for (const { name } of options.model.parameters) parameters.set(name, await readParameter(name));
      });
    },
  };
  const summary = await new Trainer({ ...options, plugins: [...(options.plugins ?? []), recorder] }).run();
  return { losses, parameters, steps: summary.steps, stopReason: summary.stopReason };
}

/** Largest difference between two runs' parameters and losses; infinity if their shapes differ. */
export function runDifference(left: TinyRun, right: TinyRun): number {
  if (left.losses.length !== right.losses.length) return Infinity;
  let largest = 0;
  const compare = (a: ArrayLike<number>, b: ArrayLike<number> | undefined): void => {
    if (b === undefined || a.length !== b.length) largest = Infinity;
    else for (let index = 0; index < a.length; index += 1) largest = Math.max(largest, Math.abs(a[index]! - b[index]!));
  };
  compare(left.losses, right.losses);
  for (const [name, values] of left.parameters) compare(values, right.parameters.get(name));
  return largest;
}
