import type { EvaluatedEvent, MetricsLine, StepEvent } from "@thaw/core";
import { tokensPerSecond } from "@thaw/core";
import { isJudging, metricText } from "./metric-words.js";

/** One line of a chart: a value, or nothing, for each of the chart's steps. */
export interface Line {
  readonly name: string;
  readonly values: readonly (number | null)[];
  /** `faint`: behind a smoothed one; `level`: a baseline; `points`: few measurements. */
  readonly look?: "faint" | "level" | "points";
}

/** Values over steps. */
export interface Chart {
  readonly id: string;
  readonly title: string;
  /** What the values are, with their unit. */
  readonly label: string;
  readonly steps: readonly number[];
  readonly lines: readonly Line[];
  readonly isLogarithmic?: boolean;
  /** Steps to mark with a line from bottom to top: where the run was taken up again. */
  readonly marks: readonly number[];
  /** A plugin measured it: not what a reader looks for first. */
  readonly isOfPlugin?: true;
  /** What a reader is to make of it. */
  readonly note?: string;
}

/** Points of a chart at most; more are means of their neighbours. */
const POINTS = 400;
/** A smoothed line looks back over this share of the points. */
const SMOOTHED = 0.05;

/** The charts of a run, those with nothing to show left out. `resumed`: steps after which it was taken up again. */
export function chartsOf(metrics: readonly MetricsLine[], resumed: readonly number[] = []): readonly Chart[] {
  const steps = metrics.filter((line): line is StepEvent => line.event === "step");
  const charts = [
    lossChart(metrics, steps),
    byStep(steps, {
      id: "learning-rate",
      title: "Learning rate",
      label: "learning rate",
      read: ({ learningRates }) => learningRates,
    }),
    byStep(steps, {
      id: "gradient-norm",
      title: "Gradient norm by component",
      label: "L2, before clipping",
      isLogarithmic: true,
      read: ({ gradientNorm, gradientNorms }) => gradientNorms ?? { all: gradientNorm },
    }),
    byStep(steps, {
      id: "update-ratio",
      title: "Update against weight, by component",
      label: "L2 of the update / L2 of the weights",
      isLogarithmic: true,
      note: "About 0.001 is usual: far more is a learning rate that is too high, far less one that is too low.",
      read: ({ updateRatios }) => updateRatios ?? {},
    }),
    byStep(steps, {
      id: "tokens",
      title: "Tokens per second",
      label: "tokens/s",
      read: (step) => ({ "tokens/s": tokensPerSecond(step) }),
    }),
    byStep(steps, {
      id: "memory",
      title: "Memory",
      label: "peak in tensors, MB",
      read: ({ peakBytes }): Readonly<Record<string, number>> =>
        peakBytes === undefined ? {} : { peak: peakBytes / 1e6 },
    }),
    ...evaluationCharts(metrics),
    ...pluginCharts(steps),
  ];
  const isShown = ({ lines }: Pick<Chart, "lines">): boolean =>
    lines.some(({ values }) => values.filter((value) => value !== null).length > 1);
  return charts.filter(isShown).map((chart) => ({ ...chart, marks: resumed }));
}

type Curves = Omit<Chart, "marks">;

function lossChart(metrics: readonly MetricsLine[], steps: readonly StepEvent[]): Curves {
  const at = buckets(steps.map(({ step }) => step));
  const training = means(steps, at, ({ loss }) => loss);
  const chart = { id: "loss", title: "Loss", label: "loss per supervised token" };
  const own: Line[] = [
    { name: "training, each step", values: training, look: "faint" },
    { name: "training, smoothed", values: smooth(training) },
  ];
  const points = evaluationsOf(metrics).flatMap(({ step, name, metrics: { loss: value } }) =>
    value === undefined ? [] : [{ step, name, value }],
  );
  return joined({ ...chart, steps: at, lines: own }, points);
}

function evaluationsOf(metrics: readonly MetricsLine[]): readonly EvaluatedEvent[] {
  return metrics.filter((line) => line.event === "evaluated");
}

interface ByStep extends Omit<Curves, "steps" | "lines"> {
  readonly read: (step: StepEvent) => Readonly<Record<string, number>>;
}

function byStep(steps: readonly StepEvent[], { read, ...chart }: ByStep): Curves {
  const measured = steps.map((step) => ({ step: step.step, values: read(step) }));
  const known = measured.filter(({ values }) => Object.keys(values).length > 0);
  const at = buckets(known.map(({ step }) => step));
  const names = [...new Set(known.flatMap(({ values }) => Object.keys(values)))];
  const lines = names.map((name) => ({ name, values: means(known, at, ({ values }) => values[name]) }));
  return { ...chart, steps: at, lines };
}

/** One chart for each metric of each evaluation but the loss, with its baselines as levels. */
function evaluationCharts(metrics: readonly MetricsLine[]): readonly Curves[] {
  const evaluated = evaluationsOf(metrics);
  const baselines = metrics.filter((line) => line.event === "baseline");
  const names = [
    ...new Set(evaluated.flatMap(({ name, metrics: own }) => Object.keys(own).map((metric) => `${name}\n${metric}`))),
  ];
  return names.flatMap((both): Curves[] => {
    const [name, metric] = both.split("\n") as [string, string];
    if (metric === "loss" || !isJudging(metric)) return [];
    const points = evaluated.filter((line) => line.name === name && line.metrics[metric] !== undefined);
    const at = points.map(({ step }) => step);
    const levels = baselines.filter((line) => line.name === name && line.metrics[metric] !== undefined);
    return [
      {
        id: `evaluation-${slug(name)}-${slug(metric)}`,
        title: `${metricText(metric)} of ${name}`,
        label: metricText(metric),
        steps: at,
        lines: [
          { name: "model", values: points.map((line) => line.metrics[metric]!) },
          ...levels.map(({ baseline, metrics: own }): Line => ({
            name: `baseline: ${baseline}`,
            values: at.map(() => own[metric]!),
            look: "level",
          })),
        ],
      },
    ];
  });
}

/** What plugins measured. */
function pluginCharts(steps: readonly StepEvent[]): readonly Curves[] {
  const names = [...new Set(steps.flatMap(({ metrics = {} }) => Object.keys(metrics)))];
  return names.map((name) =>
    byStep(steps, {
      id: `plugin-${slug(name)}`,
      title: name,
      label: name,
      isOfPlugin: true,
      read: ({ metrics }): Readonly<Record<string, number>> =>
        metrics?.[name] === undefined ? {} : { [name]: metrics[name] },
    }),
  );
}

/** Curves with measurements of other steps put in as points; each name is a line. */
function joined(
  chart: Curves,
  points: readonly { readonly step: number; readonly name: string; readonly value: number }[],
): Curves {
  const steps = [...new Set([...chart.steps, ...points.map(({ step }) => step)])].toSorted((a, b) => a - b);
  const own = new Map(chart.steps.map((step, index) => [step, index]));
  const lines = chart.lines.map((line) => ({
    ...line,
    values: steps.map((step) => (own.has(step) ? line.values[own.get(step)!]! : null)),
  }));
  const names = [...new Set(points.map(({ name }) => name))];
  const added = names.map((name): Line => {
    const values = new Map(points.filter((point) => point.name === name).map(({ step, value }) => [step, value]));
    return { name, values: steps.map((step) => finite(values.get(step))), look: "points" };
  });
  return { ...chart, steps, lines: [...lines, ...added] };
}

/** Steps at which values are shown: all, or the last of as many stretches as there are points. */
function buckets(steps: readonly number[]): readonly number[] {
  if (steps.length <= POINTS) return steps;
  return Array.from({ length: POINTS }, (_, index) => steps[Math.ceil(((index + 1) * steps.length) / POINTS) - 1]!);
}

/** The mean of what lies in each stretch that ends with one of `at`. */
function means<Item extends { readonly step: number }>(
  items: readonly Item[],
  at: readonly number[],
  read: (item: Item) => number | undefined,
): readonly (number | null)[] {
  let index = 0;
  return at.map((end) => {
    let [sum, count] = [0, 0];
    for (; index < items.length && items[index]!.step <= end; index++) {
      const value = finite(read(items[index]!));
      if (value !== null) [sum, count] = [sum + value, count + 1];
    }
    return count === 0 ? null : sum / count;
  });
}

/** An exponential mean without the pull towards zero at its start. */
function smooth(values: readonly (number | null)[]): readonly (number | null)[] {
  const fresh = 1 / (1 + SMOOTHED * values.length);
  let [sum, weight] = [0, 0];
  return values.map((value) => {
    if (value === null) return null;
    sum = (1 - fresh) * sum + fresh * value;
    weight = (1 - fresh) * weight + fresh;
    return sum / weight;
  });
}

function finite(value: number | undefined): number | null {
  return value === undefined || !Number.isFinite(value) ? null : value;
}

function slug(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
}
