import { z } from "zod";

/** What every optimizer can: `extend` the mapping by a `type` and options of its own. */
export const commonOptimizerShape = {
  weightDecay: z.number().nonnegative().default(0).describe("Share of a value that goes per unit of learning rate."),
  clipNorm: z
    .number()
    .positive()
    .nullable()
    .default(1)
    .describe("Largest L2 norm of all gradients together, scaled down to it; null: no clipping."),
  decayNormsAndBiases: z.boolean().default(false).describe("Decay norms and biases too."),
  zeroStage: z
    .union([z.literal(0), z.literal(1), z.literal(2)])
    .default(0)
    .describe(
      "What several processes share out, in the words of ZeRO: 0 nothing, 1 what the optimizer keeps, 2 gradients too.",
    ),
};

/** A share that a running mean keeps. */
export function meanDecay(fallback: number): z.ZodDefault<z.ZodNumber> {
  return z.number().min(0).lt(1).default(fallback);
}

/** Of Adam and its relatives. */
export const adamShape = {
  beta1: meanDecay(0.9).describe("Decay of the mean of gradients."),
  beta2: meanDecay(0.999).describe("Decay of the mean of squared gradients."),
  epsilon: z.number().positive().default(1e-8).describe("Added to the root of the mean square."),
};

/** The options in {@link adamShape}, as code reads them. */
export interface AdamOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}
