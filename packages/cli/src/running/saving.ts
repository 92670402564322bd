import { API_VERSION, definePlugin, planReport, Trainer, type Plugin, type TrainerOptions } from "@thaw/core";
import { freezePolicy } from "@thaw/plugin-freeze-policy";
import { projectorOnly } from "@thaw/plugin-projector-only";
import type { Comparison, ComparisonSide } from "@thaw/report";
import type { Progress } from "../terminal/progress.js";
import { RECORD_PLUGIN } from "../record/record-plugin.js";
import type { RunRecord, StepPoint } from "../record/record.js";

/** The middle value; the lower of two. */
export function median(values: readonly number[]): number {
  return [...values].sort((left, right) => left - right)[Math.floor((values.length - 1) / 2)] ?? Number.NaN;
}

/**
 * Trains `steps` steps with everything trainable, without writing anything, and puts that beside the run that `record`
 * holds. The first step of either side warms up and is not timed. The run's tensors must be free by now.
 */
export async function measureSaving(
  options: TrainerOptions,
  record: RunRecord,
  steps: number,
  progress: Progress,
): Promise<Comparison | undefined> {
  if (record.planned === undefined || record.steps.length === 0) return undefined;
  const points: StepPoint[] = [];
  const replaced = [freezePolicy.definition.name, projectorOnly.definition.name, RECORD_PLUGIN];
  const others = (options.plugins ?? []).filter(
    (plugin): plugin is Plugin =>
      Boolean(plugin) && !replaced.includes((plugin as Plugin).name) && !changesWhatTrains(plugin as Plugin),
  );
  progress.begin("all trainable", steps);
  const {
    components: _components,
    stopWhen: _stopWhen,
    epochs: _epochs,
    saveEverySteps: _save,
    evaluateEverySteps: _evaluate,
    ...training
  } = options.training ?? {};
  const trainer = new Trainer({
    model: options.model,
    ...(options.data?.train === undefined ? {} : { data: { train: options.data.train } }),
    plugins: [
      freezePolicy({ freezeVisionTower: false, freezeMultiModalProjector: false, freezeLanguageModel: false }),
      projectorOnly({ featureCache: "off" }),
      ...others,
      stepRecorder(points, progress),
    ],
    training: { ...training, maxSteps: steps },
    ...(options.seed === undefined ? {} : { seed: options.seed }),
    ...(options.logger === undefined
      ? {}
      : { logger: { ...silent, error: options.logger.error.bind(options.logger) } }),
  });
  const summary = await trainer.run();
  progress.end();
  const trainedOf = (counts: readonly { readonly trainable: number }[]): number =>
    counts.reduce((sum, { trainable }) => sum + trainable, 0);
  const trained = planReport(record.planned).parameters.filter(({ trainable }) => trainable).length;
  return {
    frozen: side(record.steps, record.summary === undefined ? trained : trainedOf(record.summary.components)),
    allTrainable: side(points, trainedOf(summary.components)),
  };
}

/** True for plugins that add parameters or decide which train: low-rank adapters, rows of single tokens. */
function changesWhatTrains({ claims }: Plugin): boolean {
  return ["parameters", "plan"].some((name) => claims?.writes?.includes(name) === true);
}

const ignore = (): void => {};
const silent = { debug: ignore, info: ignore, warn: ignore };

function side(points: readonly StepPoint[], trainedParameters: number): ComparisonSide {
  const timed = points.length > 1 ? points.slice(1) : points;
  return {
    steps: timed.length,
    stepMs: median(timed.map(({ durationMs }) => durationMs)),
    peakBytes: Math.max(0, ...points.map(({ peakBytes }) => peakBytes)),
    trainedParameters,
  };
}

function stepRecorder(points: StepPoint[], progress: Progress): Plugin {
  const name = "CliSavingPlugin";
  return definePlugin({
    name,
    apiVersion: API_VERSION,
    apply(trainer) {
      trainer.hooks.beforeStep.tapPromise(name, ({ memory }) => {
        memory();
        return Promise.resolve();
      });
      trainer.hooks.afterStep.tapPromise(name, ({ step, loss, durationMs, memory }) => {
        points.push({ step, loss, durationMs, peakBytes: memory().peakBytes });
        progress.advance(step + 1);
        return Promise.resolve();
      });
    },
  })();
}
