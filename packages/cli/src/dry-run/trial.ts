import { API_VERSION, definePlugin, silentLogger, TELLING_STEPS, Trainer, runLength, type Plugin } from "@thaw/core";
import type { Trial, TriedEvaluation } from "./forecast.js";
import { firstBatches } from "./first-batches.js";
import type { LoadedConfig } from "../config/load-config.js";
import { answerEvaluators } from "../evaluating/evaluators.js";
import { newRecord } from "../record/record.js";
import { openParts, trainerOptions, type Parts } from "../running/build-run.js";
import { silentProgress, type Progress } from "../terminal/progress.js";

/** Samples of an evaluation set whose answers are written. */
const TRIED_ANSWERS = 16;
/** Micro-batches of an evaluation set whose loss is measured. */
const TRIED_BATCHES = 4;
const PLUGIN = "CliTrialPlugin";

/** How a trial ended: what it measured, and how long the whole run is. */
export interface TriedRun {
  readonly trial: Trial;
  readonly totalSteps: number;
  readonly newSteps: number;
}

/** What a trial shows its steps on, and what ends it early. */
export interface TrialContext {
  readonly progress: Progress;
  readonly isStopping: () => boolean;
}

/** The times and sizes of a run while it is tried. */
class Watch {
  readonly startedMs = performance.now();
  readonly newMs: number[] = [];
  readonly seenMs: number[] = [];
  /** By evaluation: how long the last one took. */
  readonly evaluations = new Map<string, number>();
  /** By set of answers. */
  readonly answers = new Map<string, { tried: number; share: number }>();
  readonly #baselines = new Map<string, { begunMs: number; firstMs?: number; lastMs?: number; done: number }>();
  backend = "";
  startMs = 0;
  #evaluatedMs = 0;

  begin(): void {
    if (this.startMs === 0) this.startMs = performance.now() - this.startedMs - this.#evaluatedMs;
  }

  evaluated(name: string, durationMs: number): void {
    this.#evaluatedMs += durationMs;
    this.evaluations.set(name, durationMs);
  }

  progress(set: string, { stage, done }: { readonly stage: "answers" | "baselines"; readonly done: number }): void {
    const now = performance.now();
    const known = this.#baselines.get(set);
    if (stage === "answers" || known === undefined) this.#baselines.set(set, { begunMs: now, done: 0 });
    if (stage === "answers" || known === undefined) return;
    known.firstMs ??= now;
    known.lastMs = now;
    known.done = done;
  }

  /** Of a set whose baselines were computed: what they cost at all, and for a sample. */
  keepBaselines(set: string, into: Map<string, NonNullable<TriedEvaluation["baselines"]>>): void {
    const { begunMs, firstMs, lastMs, done } = this.#baselines.get(set) ?? { begunMs: 0, done: 0 };
    if (firstMs === undefined || lastMs === undefined || into.has(set)) return;
    into.set(set, { fixedMs: firstMs - begunMs, sampleMs: (lastMs - firstMs) / Math.max(1, done) });
  }
}

/**
 * Trains the first steps of a run for real, on its own model, data and backend, and evaluates some samples, without
 * writing anything: steps on new samples, and where the run has several epochs the same ones again. `@throws` what
 * opening and running throws
 */
export async function tryRun(config: LoadedConfig, context: TrialContext): Promise<TriedRun> {
  const watch = new Watch();
  const parts = await openParts(config);
  try {
    const { microBatchSize, gradientAccumulationSteps } = config.values.training;
    const baselines = new Map<string, NonNullable<TriedEvaluation["baselines"]>>();
    const evaluators = answerEvaluators(config, parts, {
      record: newRecord(),
      progress: silentProgress(),
      isStopping: context.isStopping,
      limit: TRIED_ANSWERS,
      onProgress: (set, now) => watch.progress(set, now),
      onMeasured: (set, { samples, unscored }) => {
        watch.keepBaselines(set, baselines);
        const all = parts.evaluation[set]!.sampleCount;
        watch.answers.set(set, { tried: samples, share: (all - unscored) / Math.max(1, all) });
      },
    });
    const options = await trainerOptions(config, limited(parts, TELLING_STEPS * (gradientAccumulationSteps ?? 1)), {
      plugins: [],
      evaluators,
      logger: silentLogger,
      environment: {},
    });
    const {
      stopWhen: _stopWhen,
      keep: _keep,
      saveEverySteps: _save,
      evaluateEverySteps: _evaluate,
      ...training
    } = options.training ?? {};
    const { output: _output, trackers: _trackers, runName: _runName, ...rest } = options;
    const planner = new Trainer({ ...rest, training });
    const planned = await planner.plan();
    const { totalSteps = 1, stepsPerEpoch = 1 } = runLength(parts.train, planned.training);
    const newSteps = stepsPerEpoch * (parts.train?.views ?? 1);
    const steps = Math.min(
      totalSteps,
      newSteps < totalSteps ? 2 * Math.min(TELLING_STEPS, stepsPerEpoch) : TELLING_STEPS,
    );
    context.progress.begin("trial", steps);
    const summary = await new Trainer({
      ...rest,
      training,
      plugins: [...(rest.plugins ?? []), recorder(watch, steps, context)],
    }).run();
    context.progress.end();
    const { estimatedStepBytes = 0, residentBytes = 0, stepPeakBytes = 0 } = summary.numbers;
    const { backend, startMs, newMs, seenMs } = watch;
    const trial: Trial = {
      backend,
      startMs,
      newMs,
      seenMs,
      estimatedStepBytes,
      residentBytes,
      stepPeakBytes,
      evaluations: evaluationsOf(watch, parts, baselines, microBatchSize ?? 1),
    };
    return { trial, totalSteps, newSteps };
  } finally {
    context.progress.end();
    await parts.close();
  }
}

function limited(parts: Parts, batches: number): Parts {
  const evaluation = Object.entries(parts.evaluation).map(([name, source]) => [
    name,
    firstBatches(source, TRIED_BATCHES),
  ]);
  return {
    ...parts,
    ...(parts.train === undefined ? {} : { train: firstBatches(parts.train, batches) }),
    evaluation: Object.fromEntries(evaluation) as Parts["evaluation"],
  };
}

function evaluationsOf(
  { evaluations, answers }: Pick<Watch, "evaluations" | "answers">,
  { evaluation: sources }: Pick<Parts, "evaluation">,
  baselines: ReadonlyMap<string, NonNullable<TriedEvaluation["baselines"]>>,
  microBatchSize: number,
): readonly TriedEvaluation[] {
  return [...evaluations].map(([name, ms]): TriedEvaluation => {
    const source = sources[name];
    if (source !== undefined)
      return {
        name,
        ms,
        samples: source.sampleCount,
        tried: Math.min(source.sampleCount, TRIED_BATCHES * microBatchSize),
      };
    const set = name.replace(/^captions\//u, "");
    const { tried = 1, share = 1 } = answers.get(set) ?? {};
    const own = baselines.get(set);
    const samples = Math.round((sources[set]?.sampleCount ?? tried) * share);
    return { name, ms, tried, samples, ...(own === undefined ? {} : { baselines: own }) };
  });
}

function recorder(watch: Watch, steps: number, { progress, isStopping }: TrialContext): Plugin {
  return definePlugin({
    name: PLUGIN,
    apiVersion: API_VERSION,
    apply({ hooks }) {
      hooks.beforeRun.tapPromise(PLUGIN, ({ backend }) => {
        watch.backend = backend.description;
        return Promise.resolve();
      });
      hooks.evaluated.tapPromise(PLUGIN, ({ name, durationMs }) => {
        watch.evaluated(name, durationMs);
        return Promise.resolve();
      });
      hooks.beforeStep.tapPromise(PLUGIN, () => {
        watch.begin();
        return Promise.resolve();
      });
      hooks.afterStep.tapPromise(PLUGIN, ({ step, epoch, durationMs }) => {
        (epoch === 0 ? watch.newMs : watch.seenMs).push(durationMs);
        progress.advance(step + 1);
        return Promise.resolve();
      });
      hooks.shouldStop.tap(PLUGIN, ({ step }) =>
        step + 1 >= steps || isStopping() ? { stop: "run", reason: "the trial is over" } : undefined,
      );
    },
  })();
}
