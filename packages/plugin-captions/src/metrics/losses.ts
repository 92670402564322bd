import type { MetricFactory } from "@thaw/core";
import { z } from "zod";

const lossSchema = z.strictObject({});

/** Mean cross entropy, in nats per supervised token. */
export const loss: MetricFactory<z.output<typeof lossSchema>> = {
  type: "loss",
  summary: "Mean cross entropy of supervised tokens, in nats; a run measures it whether named or not.",
  better: "lower",
  schema: lossSchema,
  make: () => ({
    reads: "loss",
    score: ({ lossSum, supervisedTokens }) => ({ value: lossSum / supervisedTokens }),
  }),
};

/** e to the power of the loss. */
export const perplexity: MetricFactory<z.output<typeof lossSchema>> = {
  type: "perplexity",
  summary: "e to the power of the loss: among how many tokens the model wavers.",
  better: "lower",
  schema: lossSchema,
  make: () => ({
    reads: "loss",
    score: ({ lossSum, supervisedTokens }) => ({ value: Math.exp(lossSum / supervisedTokens) }),
  }),
};
