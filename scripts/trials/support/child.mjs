/**
 * One small run in a process of its own, for trials that end processes: `node child.mjs '{ "kind", "output", "resume"
 * }'`. `kind`: `plain`, `lora` (with dropout), `cache` (features on disk) or `stages` (two of them). Says in JSON lines
 * on stdout how far it is: `step`, `saving`, `done`, `failed` with the error's code, message and what was saved.
 */
import "@tensorflow/tfjs-backend-cpu";
import { setBackend } from "@tensorflow/tfjs-core";
import { writeSync } from "node:fs";
import { join } from "node:path";
import { runStages, ThawError, Trainer } from "../../../packages/core/dist/index.js";
import { freezePolicy } from "../../../packages/plugin-freeze-policy/dist/index.js";
import { lora } from "../../../packages/plugin-lora/dist/index.js";
import { projectorOnly } from "../../../packages/plugin-projector-only/dist/index.js";
import { tinyTrainerOptions } from "../../../packages/testing/dist/index.js";

const { kind, output, resume, cache } = JSON.parse(process.argv[2]);
const say = (event, fields = {}) => void writeSync(1, `${JSON.stringify({ event, ...fields })}\n`);

const reporter = {
  name: "Reporter",
  apiVersion: 1,
  apply({ hooks }) {
    hooks.afterStep.tap("Reporter", ({ step }) => say("step", { step: step + 1 }));
    hooks.checkpoint.tapPromise("Reporter", async (state, { step }) => {
      say("saving", { step });
      return state;
    });
    hooks.restored.tap("Reporter", (_, { step }) => say("restored", { step }));
  },
};
const training = { maxSteps: 8, saveEverySteps: 1, evaluateEverySteps: 3 };
const adapters = { components: { language_model: { lora: { rank: 2, dropout: 0.2, targetModules: ["q_proj"] } } } };
const store = cache ?? (output === undefined ? undefined : join(output, "cache"));
const PLUGINS = {
  plain: () => [freezePolicy({ trainMmProjOnly: true })],
  lora: () => [freezePolicy({ freezeMultiModalProjector: false, ...adapters }), lora()],
  cache: () => [freezePolicy({ trainMmProjOnly: true }), projectorOnly({ featureCache: { disk: store } })],
};
const options = (plugins, more = {}) => tinyTrainerOptions({ plugins: [...plugins, reporter], training, ...more });
const place = resume === undefined ? { output } : { output, resume: { from: resume } };

try {
  await setBackend("cpu");
  if (kind === "stages") {
    const stage = (name, settings) => ({
      name,
      open: async () => ({ options: options([freezePolicy(settings)]) }),
    });
    const stages = [
      stage("align", { trainMmProjOnly: true }),
      stage("instruct", { freezeMultiModalProjector: false, components: { language_model: { lastBlocks: 1 } } }),
    ];
    say("done", { folder: (await runStages({ stages, ...place })).runFolder });
  } else say("done", { folder: (await new Trainer(options(PLUGINS[kind](), place)).run()).runFolder });
} catch (error) {
  const isOwn = error instanceof ThawError;
  say("failed", { code: isOwn ? error.code : "none", message: String(error), saved: error?.details?.saved });
  process.exitCode = isOwn ? 1 : 70;
}
