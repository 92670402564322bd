/**
 * A loop of one's own around the trainer: several learning rates for a few steps each, and the one with the best loss
 * on held-out pictures for the whole run. `node examples/custom-loop/evolve.mjs`.
 */
import { fileURLToPath } from "node:url";
import { backendGpu } from "@thaw/backend-gpu";
import { Trainer } from "@thaw/core";
import { openSource } from "@thaw/data";
import { openModel, openProcessor } from "@thaw/models";
import freezePolicy from "@thaw/plugin-freeze-policy";
import projectorOnly from "@thaw/plugin-projector-only";

const checkpoint = fileURLToPath(new URL("../emoji-captioner/checkpoint", import.meta.url));
const baseFolder = fileURLToPath(new URL("../..", import.meta.url));

/** Tries `rates` for `trialSteps` each, then trains `steps` with the best one. Says each loss by `tell`. */
export async function evolve({ rates, trialSteps, steps, microBatchSize = 16, limit = 200 }, tell) {
  const processor = await openProcessor(checkpoint);
  const open = (set, role) =>
    openSource({ type: "iconify", set, limit, concepts: "all" }, { processor, baseFolder, role, workers: 0 });
  const [train, held] = [await open("noto", "train"), await open("twemoji", "evaluation")];
  const run = async (learningRate, maxSteps) => {
    const trainer = new Trainer({
      model: await openModel(checkpoint, { initialize: ["multi_modal_projector"], seed: 1 }),
      data: { train, evaluation: { held } },
      plugins: [freezePolicy({ trainMmProjOnly: true }), projectorOnly(), backendGpu("wasm")],
      training: { maxSteps, microBatchSize, learningRate },
      seed: 1,
    });
    const { evaluations } = await trainer.run();
    tell(`${maxSteps} steps at ${learningRate}: loss ${evaluations.held.loss.toFixed(3)} on held-out pictures`);
    return { learningRate, loss: evaluations.held.loss };
  };
  try {
    const tried = [];
    for (const rate of rates) tried.push(await run(rate, trialSteps));
    const best = tried.reduce((one, other) => (other.loss < one.loss ? other : one));
    return { tried, best: await run(best.learningRate, steps) };
  } finally {
    await train.close();
    await held.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await evolve({ rates: [1e-4, 1e-3, 1e-2], trialSteps: 10, steps: 60 }, (line) => process.stdout.write(`${line}\n`));
