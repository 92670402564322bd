import { activationBytes, float32Bytes, innermost, keptBytes, type RuleContext } from "@thaw/core";

/** Bytes that a step needs, roughly: for a warning, not for accounting. */
export interface MemoryEstimate {
  readonly weightBytes: number;
  /** Gradients and what the optimizer keeps. */
  readonly trainedBytes: number;
  readonly activationBytes: number;
  readonly totalBytes: number;
}

/** Tokens of a sample where `maxLength` is not given. */
const USUAL_TOKENS = 1024;

/**
 * Weights in the forms in which they are kept; of what trains, gradient and what the optimizer keeps; what core
 * estimates that every innermost segment keeps for backward.
 */
export function estimateBytes(
  context: Pick<RuleContext, "parameters" | "plan" | "flows" | "model" | "training" | "optimizer">,
): MemoryEstimate {
  const bytesOf = keptBytes(context);
  const weightBytes = context.parameters.reduce((sum, parameter) => sum + bytesOf(parameter), 0);
  const trainingBytes = new Map(
    context.parameters.map((parameter) => [
      parameter.name,
      float32Bytes(parameter.shape) + context.optimizer.slotBytes(parameter) / context.optimizer.shares,
    ]),
  );
  const phaseBytes = context.plan.phases.map(({ entries }) =>
    entries.filter(({ trainable }) => trainable).reduce((sum, { name }) => sum + (trainingBytes.get(name) ?? 0), 0),
  );
  const trainedBytes = Math.max(0, ...phaseBytes);
  const { microBatchSize, maxLength } = context.training;
  // No item is known yet; a tower seldom has more rows of an item than the text has of its features.
  const rows = microBatchSize * Math.min(maxLength ?? USUAL_TOKENS, context.model.text.maxPositions);
  const kept = activationBytes(
    context,
    context.flows,
    new Set(innermost(context.model.segments).map(({ name }) => name)),
    () => rows,
  );
  return { weightBytes, trainedBytes, activationBytes: kept, totalBytes: weightBytes + trainedBytes + kept };
}
