import type { BatchSource } from "@thaw/contracts";
import type { ResolvedTrainingOptions } from "../api/options.js";

/** Length of a run, as far as options and the source's size say. */
export interface RunLength {
  readonly totalSteps?: number;
  readonly stepsPerEpoch?: number;
}

/**
 * Steps of an epoch and of the run, in which so many processes take part. The last step of an epoch may have fewer
 * micro-batches; a fraction of an epoch is rounded up to whole steps; the first of `epochs` and `maxSteps` that is
 * reached ends the run.
 */
export function runLength(
  source: Pick<BatchSource, "sampleCount"> | undefined,
  training: ResolvedTrainingOptions,
  processes = 1,
): RunLength {
  const { epochs, maxSteps, microBatchSize, gradientAccumulationSteps } = training;
  // a source that is not read yet, as in `thaw check`, has NaN samples
  if (source === undefined || Number.isNaN(source.sampleCount))
    return maxSteps === undefined ? {} : { totalSteps: maxSteps };
  const microBatches = Math.ceil(Math.ceil(source.sampleCount / microBatchSize) / processes);
  const stepsPerEpoch = Math.ceil(microBatches / gradientAccumulationSteps);
  // 0.1 epochs of 30 steps are 3, not 4: the product is rounded before it is rounded up
  const byEpochs = epochs === undefined ? undefined : Math.ceil(Number((epochs * stepsPerEpoch).toPrecision(12)));
  if (byEpochs === undefined && maxSteps === undefined) return { stepsPerEpoch };
  return { stepsPerEpoch, totalSteps: Math.min(byEpochs ?? Infinity, maxSteps ?? Infinity) };
}
