import { defineTracker } from "@thaw/core";
import { z } from "zod";
import { histograms, histogramsEverySteps } from "../options.js";

/** Event files that TensorBoard reads. */
export const tensorboard = defineTracker({
  type: "tensorboard",
  summary: "Event files for TensorBoard: tensorboard --logdir runs.",
  schema: z.strictObject({
    type: z
      .literal("tensorboard")
      .describe("Event files in trackers/tensorboard of the run folder; tensorboard --logdir runs shows them."),
    histograms,
  }),
  make: async (_options, making) => (await import("./tensorboard-tracker.js")).tensorboardTracker(making),
  histogramsEverySteps,
});
