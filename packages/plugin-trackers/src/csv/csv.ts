import { defineTracker } from "@thaw/core";
import { z } from "zod";

/** A table for spreadsheets. */
export const csv = defineTracker({
  type: "csv",
  summary: "One table of all measurements, for spreadsheets.",
  schema: z.strictObject({
    type: z.literal("csv").describe("trackers/csv/metrics.csv in the run folder: a row per step and evaluation."),
  }),
  make: async (_options, making) => (await import("./csv-tracker.js")).csvTracker(making),
});
