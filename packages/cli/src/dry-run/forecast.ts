import { stretchMs } from "@thaw/core";

/** What a trial measured of one evaluation, of the loss or of answers. */
export interface TriedEvaluation {
  readonly name: string;
  /** Samples that the trial measured, and that the run will. */
  readonly tried: number;
  readonly samples: number;
  readonly ms: number;
  /** Of the baselines, which the run computes once: what they take whatever the set, and for each sample. */
  readonly baselines?: { readonly fixedMs: number; readonly sampleMs: number };
}

/** What real steps, and evaluations of some samples, told of a run. */
export interface Trial {
  readonly backend: string;
  /** Opening the data, reading the weights, and whatever else comes before the first step. */
  readonly startMs: number;
  /** Steps on samples that are new to the run, in ms, the first one with what happens once. */
  readonly newMs: readonly number[];
  /** Steps on samples that the run has seen before: what is cached of them is not computed again. */
  readonly seenMs: readonly number[];
  readonly estimatedStepBytes: number;
  readonly residentBytes: number;
  readonly stepPeakBytes: number;
  readonly evaluations: readonly TriedEvaluation[];
}

/** How long a run is. */
export interface ForecastLength {
  readonly totalSteps: number;
  /** Steps in which all samples are new. */
  readonly newSteps: number;
  readonly evaluateEverySteps?: number;
}

/** The time of a whole run, in ms, made of what a trial measured. */
export interface Forecast {
  readonly stepMs: number;
  readonly stepsMs: number;
  /** By evaluation: how often, and all of them together. */
  readonly evaluations: readonly { readonly name: string; readonly times: number; readonly ms: number }[];
  readonly totalMs: number;
}

/**
 * Multiplies out what was measured: steps of each kind by the first ones, evaluations by their time for a sample.
 * Saving checkpoints is not in it.
 */
export function forecast(trial: Trial, { totalSteps, newSteps, evaluateEverySteps }: ForecastLength): Forecast {
  const fresh = Math.min(totalSteps, newSteps);
  const seen = totalSteps - fresh;
  const seenMs = trial.seenMs.length > 0 ? trial.seenMs : trial.newMs.slice(1);
  const stepsMs = stretchMs(trial.newMs, fresh) + (seen === 0 ? 0 : stretchMs(seenMs, seen));
  const times = evaluationCount(totalSteps, evaluateEverySteps);
  const evaluations = trial.evaluations.map(({ name, tried, samples, ms, baselines }) => {
    const guesses = baselines === undefined ? 0 : baselines.fixedMs + samples * baselines.sampleMs;
    return { name, times, ms: times * (ms / Math.max(1, tried)) * samples + guesses };
  });
  const totalMs = trial.startMs + stepsMs + evaluations.reduce((sum, { ms }) => sum + ms, 0);
  return { stepMs: stepsMs / Math.max(1, totalSteps), stepsMs, evaluations, totalMs };
}

/** At the start, after every so many steps, and at the end. */
function evaluationCount(totalSteps: number, everySteps: number | undefined): number {
  if (everySteps === undefined) return 2;
  return 1 + Math.floor(totalSteps / everySteps) + (totalSteps % everySteps === 0 ? 0 : 1);
}
