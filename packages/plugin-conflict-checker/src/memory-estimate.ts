import { AdamW, FLOAT32_BYTES, innermost, elementCount, type RuleContext } from "@thaw/core";

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
 * Weights at four bytes; of what trains, gradient and AdamW's slots; activations of every innermost segment that a
 * gradient passes: per position the widths of its matrices (each linear map's input and output are of these widths),
 * all kept where the segment trains and half where it is `through`, as a frozen linear map keeps nothing and the
 * nonlinear ones between them do.
 */
export function estimateBytes(
  context: Pick<RuleContext, "parameters" | "plan" | "flows" | "model" | "training">,
): MemoryEstimate {
  const sizes = new Map(context.parameters.map(({ name, shape }) => [name, { shape, count: elementCount(shape) }]));
  const weightBytes = FLOAT32_BYTES * [...sizes.values()].reduce((sum, { count }) => sum + count, 0);
  const trainedCounts = context.plan.phases.map(({ entries }) =>
    entries.filter(({ trainable }) => trainable).reduce((sum, { name }) => sum + (sizes.get(name)?.count ?? 0), 0),
  );
  const trainedBytes = FLOAT32_BYTES * (1 + AdamW.slotsPerParameter) * Math.max(0, ...trainedCounts);
  const { microBatchSize, maxLength } = context.training;
  const tokens = microBatchSize * Math.min(maxLength ?? USUAL_TOKENS, context.model.text.maxPositions);
  const { segments } = context.model;
  let activationBytes = 0;
  for (const { name, parameters } of innermost(segments)) {
    const flow = context.flows.get(name);
    if (flow === undefined || flow === "prefix") continue;
    const widths = parameters
      .map((parameter) => sizes.get(parameter)?.shape ?? [])
      .filter((shape) => shape.length === 2);
    // A vocabulary product is fused with the loss and keeps no logits.
    const usual = widths.filter(([rows]) => rows !== context.model.text.vocabularySize);
    const perToken = usual.reduce((sum, [rows = 0, columns = 0]) => sum + rows + columns, 0);
    activationBytes += FLOAT32_BYTES * tokens * perToken * (flow === "trained" ? 1 : 0.5);
  }
  return { weightBytes, trainedBytes, activationBytes, totalBytes: weightBytes + trainedBytes + activationBytes };
}
