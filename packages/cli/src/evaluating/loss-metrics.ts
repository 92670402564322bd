import type { LossMetric } from "@thaw/core";
import { lossMetrics, type ChosenMetric } from "@thaw/plugin-captions";

/** What is made of the loss of each evaluation set and told beside it. */
export function lossMetricsOf(
  metrics: Readonly<Record<string, readonly ChosenMetric[]>>,
): Readonly<Record<string, readonly LossMetric[]>> {
  const sets = Object.entries(metrics).map(([set, chosen]) => [
    set,
    lossMetrics(chosen).map(({ name, better, metric }) => ({ name, better, score: metric.score.bind(metric) })),
  ]);
  return Object.fromEntries(sets) as Readonly<Record<string, readonly LossMetric[]>>;
}
