import { defineTracker } from "@thaw/core";
import { z } from "zod";
import { histograms, histogramsEverySteps } from "../options.js";

/** A run folder of Weights & Biases, to be synced. */
export const wandb = defineTracker({
  type: "wandb",
  summary: "An offline run for Weights & Biases: wandb sync sends it.",
  schema: z.strictObject({
    type: z
      .literal("wandb")
      .describe("An offline run in trackers/wandb of the run folder; wandb sync sends it to Weights & Biases."),
    project: z.string().min(1).default("thaw").describe("Project that the run is of."),
    entity: z.string().min(1).optional().describe("User or team that the project is of; your own without it."),
    histograms,
  }),
  make: async (options, making) => (await import("./wandb-tracker.js")).wandbTracker(options, making),
  histogramsEverySteps,
});
