import { isJudging, isLowerBetter } from "./metric-words.js";
import type { RunData } from "./run-data.js";

/** One metric of one evaluation over a run. */
export interface Measured {
  readonly name: string;
  readonly metric: string;
  readonly isLowerBetter: boolean;
  readonly first: number;
  readonly firstStep: number;
  readonly last: number;
  readonly lastStep: number;
  readonly baselines: readonly { readonly name: string; readonly value: number }[];
}

/** What was measured, evaluation by evaluation, beside the baselines of each. */
export function measuredOf(run: Pick<RunData, "metrics">): readonly Measured[] {
  const { metrics } = run;
  const evaluated = metrics.filter((line) => line.event === "evaluated");
  return [...new Set(evaluated.map(({ name }) => name))].flatMap((name) => {
    const own = evaluated.filter((line) => line.name === name);
    const beside = metrics.filter((line) => line.event === "baseline").filter((line) => line.name === name);
    return Object.keys(own.at(-1)!.metrics)
      .filter(isJudging)
      .map((metric): Measured => {
        const known = own.filter((line) => line.metrics[metric] !== undefined);
        const [first, last] = [known[0]!, known.at(-1)!];
        const baselines = beside.flatMap(({ baseline, metrics: { [metric]: value } }) =>
          value === undefined ? [] : [{ name: baseline, value }],
        );
        return {
          name,
          metric,
          isLowerBetter: isLowerBetter(run, name, metric),
          first: first.metrics[metric]!,
          firstStep: first.step,
          last: last.metrics[metric]!,
          lastStep: last.step,
          baselines: [...new Map(baselines.map((baseline) => [baseline.name, baseline])).values()],
        };
      });
  });
}

/** The measurement that a run is known by: the first that is not a loss, else the first. */
export function headline(run: Pick<RunData, "metrics">): Measured | undefined {
  const all = measuredOf(run);
  return all.find(({ metric }) => metric !== "loss") ?? all[0];
}

/** Baselines that are as good as the model, or better, the best one first. */
export function winnersOf({ isLowerBetter: isLower, last, baselines }: Measured): Measured["baselines"] {
  const sign = isLower ? 1 : -1;
  return baselines
    .filter(({ value }) => sign * value <= sign * last)
    .toSorted((left, right) => sign * (left.value - right.value));
}
