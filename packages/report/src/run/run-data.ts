import type {
  Finding,
  GraphComponent,
  LogLine,
  MetricsLine,
  RunSummary,
  SampleLine,
  Setting,
  StepEvent,
} from "@thaw/core";

/** How a run stands. `lost`: its process ended without a word. */
export type RunStatus = "running" | "finished" | "interrupted" | "failed" | "lost";

/** What a comparison of a run with everything trainable measured (`thaw train --compare-all-trainable`). */
export interface Comparison {
  readonly frozen: ComparisonSide;
  readonly allTrainable: ComparisonSide;
}

/** One side of a comparison: the median of so many steps, and the most bytes in tensors, weights included. */
export interface ComparisonSide {
  readonly steps: number;
  readonly stepMs: number;
  readonly peakBytes: number;
  readonly trainedParameters: number;
}

/** The plan of a run, as `plan.json` has it. */
export interface RunPlan {
  readonly hash: string;
  /** Components in data-flow order; none in the plan of an older run. */
  readonly graph: readonly GraphComponent[];
  readonly findings: readonly Finding[];
  /** Steps with which phases begin. */
  readonly phases: readonly number[];
}

/** The config of a run, as `config.json` has it. */
export interface RunConfig {
  /** Every value by its dotted path, as text; lists of plain values are one value. */
  readonly values: ReadonlyMap<string, string>;
  /** What was given, with its place. Empty where the run was started by program. */
  readonly settings: readonly Setting[];
  /** The file that it was read from. */
  readonly file?: string;
}

/** What a run that was taken up again goes on with, where that differs from what it went on with before. */
export interface RunChange {
  /** Steps done before. */
  readonly step: number;
  /** `training.learning_rate: 0.01, then 0.005`. */
  readonly values: readonly string[];
  readonly isPlanChanged: boolean;
}

/** One sample, with its pictures as `data:` addresses. */
export interface RunSample extends Omit<SampleLine, "event" | "images"> {
  readonly images: readonly string[];
}

/** All that there is to show of a run; filled in while it goes on, or read from its folder. */
export interface RunData {
  readonly name: string;
  /** Absent where nothing is written. */
  readonly folder?: string;
  readonly status: RunStatus;
  /** What it goes on with now: the last one, where it was resumed with another. */
  readonly config: RunConfig;
  /** The last one, where it was resumed with another. */
  readonly plan?: RunPlan;
  readonly changes: readonly RunChange[];
  readonly metrics: readonly MetricsLine[];
  readonly log: readonly LogLine[];
  readonly samples: readonly RunSample[];
  readonly summary?: RunSummary;
  readonly comparison?: Comparison;
}

/** Steps done and steps in all; zeros where nothing is known. */
export function stepsOf({ metrics, log }: Pick<RunData, "metrics" | "log">): {
  readonly done: number;
  readonly total: number;
} {
  const started = log.findLast((line) => line.event === "started");
  const done = metrics.findLast((line) => line.event === "step")?.step ?? started?.step ?? 0;
  return { done, total: started?.totalSteps ?? done };
}

/** The steps that a run made, and what they took together; `peakBytes`: the most of any, 0 where none says. */
export function workOf({ metrics }: Pick<RunData, "metrics">): {
  readonly steps: readonly StepEvent[];
  readonly trainingMs: number;
  readonly tokens: number;
  readonly peakBytes: number;
} {
  const steps = metrics.filter((line) => line.event === "step");
  return {
    steps,
    trainingMs: steps.reduce((sum, { durationMs }) => sum + durationMs, 0),
    tokens: steps.reduce((sum, step) => sum + step.tokens, 0),
    peakBytes: steps.reduce((most, { peakBytes = 0 }) => Math.max(most, peakBytes), 0),
  };
}

/** Parameters of a plan's components together, those that train, and bytes that are kept for these. */
export function sumsOf({ graph }: Pick<RunPlan, "graph">): {
  readonly parameterCount: number;
  readonly trainedCount: number;
  readonly trainedBytes: number;
} {
  return {
    parameterCount: graph.reduce((sum, { parameterCount }) => sum + parameterCount, 0),
    trainedCount: graph.reduce((sum, { trainedCount }) => sum + trainedCount, 0),
    trainedBytes: graph.reduce((sum, { trainedBytes }) => sum + trainedBytes, 0),
  };
}

/** Steps after which a run was taken up again. */
export function resumedAt({ log }: Pick<RunData, "log">): readonly number[] {
  return log.flatMap((line) => (line.event === "started" && line.resumedFrom !== undefined ? [line.step] : []));
}
