import { isAsGood, isJudging } from "./metric-words.js";
import type { RunData } from "./run-data.js";

/** One metric of one evaluation over a run. */
export interface Measured {
  readonly name: string;
  readonly metric: string;
  readonly first: number;
  readonly firstStep: number;
  readonly last: number;
  readonly lastStep: number;
  readonly baselines: readonly { readonly name: string; readonly value: number }[];
}

/** What was measured, evaluation by evaluation, beside the baselines of each. */
export function measuredOf({ metrics }: Pick<RunData, "metrics">): readonly Measured[] {
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
export function winnersOf({ metric, last, baselines }: Measured): Measured["baselines"] {
  const found = baselines.filter(({ value }) => isAsGood(metric, value, last));
  return found.toSorted((left, right) => (isAsGood(metric, left.value, right.value) ? -1 : 1));
}
