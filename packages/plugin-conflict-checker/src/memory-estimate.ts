import { activationBytes, AdamW, FLOAT32_BYTES, innermost, elementCount, type RuleContext } from "@thaw/core";

/** Bytes that a step needs, roughly: for a warning, not for accounting. */
export interface MemoryEstimate {
  readonly weightBytes: number;
  /** Gradients and AdamW's slots. */
  readonly trainedBytes: number;
  readonly activationBytes: number;
  readonly totalBytes: number;
}

/** Tokens of a sample where `maxLength` is not given. */
const USUAL_TOKENS = 1024;

/**
 * Weights at four bytes; of what trains, gradient and AdamW's slots; what core estimates that every innermost segment
 * keeps for backward.
 */
export function estimateBytes(
  context: Pick<RuleContext, "parameters" | "plan" | "flows" | "model" | "training">,
): MemoryEstimate {
  const sizes = new Map(context.parameters.map(({ name, shape }) => [name, elementCount(shape)]));
  const weightBytes = FLOAT32_BYTES * [...sizes.values()].reduce((sum, count) => sum + count, 0);
  const trainedCounts = context.plan.phases.map(({ entries }) =>
    entries.filter(({ trainable }) => trainable).reduce((sum, { name }) => sum + (sizes.get(name) ?? 0), 0),
  );
  const trainedBytes = FLOAT32_BYTES * (1 + AdamW.slotsPerParameter) * Math.max(0, ...trainedCounts);
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
