import type { GraphComponent } from "@thaw/core";
import { measuredOf } from "./measured.js";
import { sumsOf, workOf, type RunData } from "./run-data.js";

/** The same of two runs, where it differs. Absent: one of them has it not. */
export interface Difference<Value> {
  readonly name: string;
  readonly left?: Value;
  readonly right?: Value;
}

/** Losses of two runs after the same step. */
export interface LossPair {
  readonly step: number;
  readonly left: number;
  readonly right: number;
}

/** Where two runs differ. */
export interface RunComparison {
  /** Config values by path. */
  readonly config: readonly Difference<string>[];
  /** What becomes of components. */
  readonly plan: readonly Difference<string>[];
  /** True where the plans are the same to the last parameter. */
  readonly isSamePlan: boolean;
  /** Last values of evaluations: `twemoji tokenF1`; those that are the same too. */
  readonly metrics: readonly Difference<number>[];
  /** Of the steps that both made. */
  readonly curve: {
    readonly steps: number;
    /** The first step whose losses differ; absent where they are the same. */
    readonly differsFrom?: number;
    /** Some steps spread over them, the first and the last among them. */
    readonly points: readonly LossPair[];
  };
  readonly numbers: readonly Difference<number>[];
}

/** Points of a compared curve. */
const POINTS = 8;

/** Says where the configs, plans and curves of two runs differ. */
export function compareRuns(left: RunData, right: RunData): RunComparison {
  return {
    config: differences(left.config.values, right.config.values),
    plan: differences(statesOf(left), statesOf(right)),
    isSamePlan: left.plan?.hash === right.plan?.hash,
    metrics: pairs(scoresOf(left), scoresOf(right)),
    curve: curveOf(lossesOf(left), lossesOf(right)),
    numbers: pairs(numbersOf(left), numbersOf(right)),
  };
}

function pairs<Value>(
  left: ReadonlyMap<string, Value>,
  right: ReadonlyMap<string, Value>,
): readonly Difference<Value>[] {
  return [...new Set([...left.keys(), ...right.keys()])].map((name) => {
    const [was, is] = [left.get(name), right.get(name)];
    return { name, ...(was === undefined ? {} : { left: was }), ...(is === undefined ? {} : { right: is }) };
  });
}

function differences(
  left: ReadonlyMap<string, string>,
  right: ReadonlyMap<string, string>,
): readonly Difference<string>[] {
  return pairs(left, right).filter((one) => one.left !== one.right);
}

function statesOf({ plan }: Pick<RunData, "plan">): ReadonlyMap<string, string> {
  const text = ({ state, trainedCount, parameterCount }: GraphComponent): string =>
    state === "partial" || state === "adapter" ? `${state}, ${trainedCount} of ${parameterCount} train` : state;
  return new Map((plan?.graph ?? []).map((component) => [component.name, text(component)]));
}

function scoresOf(run: RunData): ReadonlyMap<string, number> {
  return new Map(measuredOf(run).map(({ name, metric, last }) => [`${name} ${metric}`, last]));
}

function lossesOf({ metrics }: RunData): ReadonlyMap<number, number> {
  return new Map(metrics.flatMap((line) => (line.event === "step" ? [[line.step, line.loss] as const] : [])));
}

function curveOf(left: ReadonlyMap<number, number>, right: ReadonlyMap<number, number>): RunComparison["curve"] {
  const both = [...left.keys()].filter((step) => right.has(step));
  const differsFrom = both.find((step) => !Object.is(left.get(step), right.get(step)));
  const count = Math.min(POINTS, both.length);
  const chosen = Array.from(
    { length: count },
    (_, index) => both[count === 1 ? 0 : Math.round((index * (both.length - 1)) / (count - 1))]!,
  );
  return {
    steps: both.length,
    ...(differsFrom === undefined ? {} : { differsFrom }),
    points: chosen.map((step) => ({ step, left: left.get(step)!, right: right.get(step)! })),
  };
}

function numbersOf(run: RunData): ReadonlyMap<string, number> {
  const { steps, trainingMs, tokens, peakBytes } = workOf(run);
  return new Map([
    ["steps", steps.length],
    ...(run.plan === undefined ? [] : [["trained parameters", sumsOf(run.plan).trainedCount] as const]),
    ...(trainingMs > 0 ? [["tokens per second", Math.round((1000 * tokens) / trainingMs)] as const] : []),
    ...(peakBytes > 0 ? [["peak bytes in tensors", peakBytes] as const] : []),
  ]);
}
