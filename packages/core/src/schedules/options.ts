import { z } from "zod";

/** What every schedule can: `extend` the mapping by a `type` and options of its own. */
export const commonScheduleShape = {
  warmupSteps: z
    .number()
    .int()
    .nonnegative()
    .optional()
    .describe("Steps in which the rate rises from zero; wins over warmup_ratio."),
  warmupRatio: z.number().min(0).max(1).default(0).describe("The same as a share of all steps."),
};

/** The rate at the end. */
export const minRatio = z.number().min(0).max(1).default(0).describe("Share of the rate that it ends at.");
