import type { BatchSource, Session } from "@thaw/core";
import type { LossReadingMetric } from "../choosing/chosen-metrics.js";
import type { Scores } from "./answer-evaluation.js";

/** How what is made of a set's loss is measured outside of a run. */
export interface LossMeasurement {
  readonly source: BatchSource;
  /** Where there are none the set is not read. */
  readonly metrics: readonly LossReadingMetric[];
  readonly microBatchSize: number;
  /** Asked before every batch. */
  readonly isStopping: () => boolean;
}

/** What metrics make of a set's loss; undefined if it was told to stop meanwhile. During a run core measures it. */
export async function measureLoss(
  session: Pick<Session, "loss">,
  { source, metrics, microBatchSize, isStopping }: LossMeasurement,
): Promise<Scores | undefined> {
  if (metrics.length === 0) return {};
  let lossSum = 0;
  let supervisedTokens = 0;
  for await (const batch of source.batches({ epoch: 0, seed: 0, microBatchSize, shuffle: false })) {
    if (isStopping()) return undefined;
    const part = await session.loss(batch);
    lossSum += part.lossSum;
    supervisedTokens += part.supervisedTokenCount;
  }
  const scores = metrics.map(({ name, metric }) => [name, metric.score({ lossSum, supervisedTokens }).value] as const);
  return Object.fromEntries(scores);
}
