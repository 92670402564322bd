import { parseArgs } from "node:util";
import type { BackendOptions, Logger } from "./pretrain.js";
import { pretrain, PRETRAIN_DEFAULTS } from "./pretrain.js";

const { values } = parseArgs({
  options: {
    checkpoint: { type: "string", default: "./checkpoint" },
    cache: { type: "string", default: "./.cache" },
    runs: { type: "string", default: "./runs" },
    backend: { type: "string", default: PRETRAIN_DEFAULTS.backend },
    "backend-folder": { type: "string" },
    steps: { type: "string", default: String(PRETRAIN_DEFAULTS.steps) },
    "batch-size": { type: "string", default: String(PRETRAIN_DEFAULTS.batchSize) },
    threads: { type: "string", default: String(PRETRAIN_DEFAULTS.threads) },
    seed: { type: "string", default: String(PRETRAIN_DEFAULTS.seed) },
    "check-every": { type: "string", default: String(PRETRAIN_DEFAULTS.checkEverySteps) },
    "learning-rate": { type: "string", default: String(PRETRAIN_DEFAULTS.learningRate) },
  },
});

const write = (fields: object | string, message?: string): void => {
  process.stderr.write(
    `${typeof fields === "string" ? fields : [message, JSON.stringify(fields)].filter(Boolean).join(" ")}\n`,
  );
};
const logger: Logger = { debug: () => {}, info: write, warn: write, error: write };

const name = values.backend as Extract<BackendOptions, string>;
const summary = await pretrain({
  ...PRETRAIN_DEFAULTS,
  checkpoint: values.checkpoint,
  cache: values.cache,
  runs: values.runs,
  backend: values["backend-folder"] === undefined ? name : { name, cacheFolder: values["backend-folder"] },
  steps: Number(values.steps),
  batchSize: Number(values["batch-size"]),
  threads: Number(values.threads),
  seed: Number(values.seed),
  checkEverySteps: Number(values["check-every"]),
  learningRate: Number(values["learning-rate"]),
  logger,
});
const { steps, lastLoss, evaluations } = summary;
const result = { steps, lastLoss, minutes: summary.durationMs / 60_000, evaluations };
process.stdout.write(`${JSON.stringify(result)}\nCheckpoint: ${values.checkpoint}\n`);
