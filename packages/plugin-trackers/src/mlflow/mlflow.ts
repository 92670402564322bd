import { defineTracker } from "@thaw/core";
import { z } from "zod";

/** Runs of an MLflow server. */
export const mlflow = defineTracker({
  type: "mlflow",
  summary: "A run of an MLflow server, by its REST API.",
  schema: z
    .strictObject({
      type: z.literal("mlflow").describe("A run of an MLflow server; what cannot be sent is sent later."),
      url: z.url({ protocol: /^https?$/ }).describe("Address of the server: http://127.0.0.1:5000."),
      experiment: z
        .string()
        .min(1)
        .default("thaw")
        .describe("Experiment that the run belongs to; made where it lacks."),
      token: z.string().optional().describe("Bearer token: { env: MLFLOW_TRACKING_TOKEN }."),
      username: z.string().optional().describe("Name of a server that asks for one."),
      password: z.string().optional().describe("Password of that name: { env: MLFLOW_TRACKING_PASSWORD }."),
      samples: z
        .boolean()
        .default(true)
        .describe("Keep samples with their pictures as artifacts of the run, where the server takes them."),
    })
    .refine(
      ({ username, password, token }) =>
        (username === undefined) === (password === undefined) && (token === undefined || username === undefined),
      "username and password belong together, and a token stands alone.",
    ),
  make: async (options, making) => (await import("./mlflow-tracker.js")).mlflowTracker(options, making),
  send: async (options, { folder, logger }) =>
    (await import("./mlflow-tracker.js")).sendMlflow(options, { folder, logger }),
});
