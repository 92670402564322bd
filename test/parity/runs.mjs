// @ts-check
import { clone, keep } from "@tensorflow/tfjs-core";
import { backendGpu } from "@thaw/backend-gpu";
import { API_VERSION, definePlugin, Trainer } from "@thaw/core";
import { openModel } from "@thaw/models";
import { judged, maxAbsolute, maxDifference, maxRelativeDifference } from "./compare.mjs";
import { onlyBatch } from "./golden.mjs";

/** @typedef {Awaited<ReturnType<typeof import("./golden.mjs").openGolden>>} Golden */
/** @typedef {import("./compare.mjs").Comparison} Comparison */

/** goldens/README.md, section Tolerances. */
const OUTPUT = 1e-4;
const LOSS = 1e-4;
const NORM = 1e-3;
const END = 1e-4;
const GRADIENT = { relative: 1e-3, absolute: 1e-6 };
/** Segment whose output the goldens call image features. */
const PROJECTOR = "multi_modal_projector";

/**
 * Trains the components in `trainable` (all parameters if null) as the golden's optimizer did, for `steps` steps.
 * @param {Golden} golden
 * @param {string} backend
 * @param {readonly string[] | null} trainable
 * @param {number} steps
 * @param {{ plugins?: readonly import("@thaw/core").Plugin[], after?: (session: import("@thaw/core").Session) =>
 * Promise<void> }} [more]
 */
async function train(golden, backend, trainable, steps, { plugins = [], after } = {}) {
  const { optimizer } = golden.facts;
  /** @type {{ losses: number[], norms: number[] }} */
  const log = { losses: [], norms: [] };
  const watch = plugin("ParityWatch", (trainer) => {
    trainer.hooks.afterStep.tap("ParityWatch", ({ loss, gradientNorm }) => {
      log.losses.push(loss);
      log.norms.push(gradientNorm);
    });
  });
  const trainer = new Trainer({
    model: await openModel(golden.folder),
    data: { train: onlyBatch(golden.batch) },
    plugins: [
      backendGpu(/** @type {never} */ (backend)),
      ...(trainable === null ? [] : [trainsOnly(trainable)]),
      watch,
      ...plugins,
    ],
    seed: 0,
    training: {
      maxSteps: steps,
      microBatchSize: golden.batch.batchSize,
      shuffle: false,
      learningRate: optimizer.lr,
      schedule: { type: optimizer.schedule, warmupSteps: optimizer.warmup_steps },
      optimizer: {
        weightDecay: optimizer.weight_decay,
        beta1: optimizer.betas[0],
        beta2: optimizer.betas[1],
        epsilon: optimizer.eps,
        clipNorm: optimizer.max_grad_norm,
        decayNormsAndBiases: true,
      },
    },
    evaluators:
      after === undefined
        ? []
        : [
            {
              name: "after",
              atStart: false,
              evaluate: async (session) => {
                await after(session);
                return {};
              },
            },
          ],
  });
  await trainer.run();
  return log;
}

/**
 * @param {string} name
 * @param {(trainer: Trainer) => void} apply
 */
function plugin(name, apply) {
  return definePlugin({ name, apiVersion: API_VERSION, apply })();
}

/** @param {readonly string[]} components */
function trainsOnly(components) {
  return plugin("ParityPlan", (trainer) => {
    trainer.hooks.plan.tap("ParityPlan", (plan) => ({
      ...plan,
      phases: plan.phases.map((phase) => ({
        ...phase,
        entries: phase.entries.map((entry) => ({ ...entry, trainable: components.includes(entry.component) })),
      })),
    }));
  });
}

/**
 * One step with every parameter trained: image features, logits, loss, norm and gradients.
 * @param {Golden} golden
 * @param {string} backend
 * @returns {AsyncGenerator<Comparison>}
 */
export async function* compareOutputs(golden, backend) {
  const { folder, facts, reader, batch } = golden;
  /** @type {Map<string, Float32Array>} */
  const got = new Map();
  /** @type {Map<string, import("@tensorflow/tfjs-core").Tensor>} */
  const kept = new Map();
  const take = (
    /** @type {string} */ name,
    /** @type {import("@tensorflow/tfjs-core").Tensor | undefined} */ tensor,
  ) => {
    if (tensor !== undefined) kept.set(name, keep(clone(tensor)));
  };
  const probe = plugin("ParityProbe", ({ hooks }) => {
    hooks.loss.tap("ParityProbe", (loss, { output, segmentOutput }) => {
      take("image_features", segmentOutput(PROJECTOR)?.tensor);
      take("logits", output.logits(null).tensor);
      return loss;
    });
    hooks.gradients.tap("ParityProbe", (gradients) => {
      for (const [name, tensor] of gradients) take(`grad.${name}`, tensor);
      return gradients;
    });
    hooks.afterStep.tapPromise("ParityProbe", async () => {
      for (const [name, tensor] of kept) {
        got.set(name, /** @type {Float32Array} */ (await tensor.data()));
        tensor.dispose();
      }
      kept.clear();
    });
  });
  const { losses, norms } = await train(golden, backend, null, 1, { plugins: [probe] });
  const logits = await reader.readFloat32("out.logits");
  const vocabulary = logits.length / batch.attentionMask.length;
  yield judged(
    folder,
    "image_features",
    maxDifference(got.get("image_features"), await reader.readFloat32("out.image_features")),
    OUTPUT,
  );
  yield judged(
    folder,
    "logits",
    maxDifference(got.get("logits"), logits, (index) => batch.attentionMask[Math.floor(index / vocabulary)] === 1),
    OUTPUT,
  );
  yield judged(folder, "loss", maxDifference(losses, [facts.loss]), LOSS);
  yield judged(folder, "grad_norm", maxRelativeDifference(norms, [facts.grad_norm]), NORM);
  for (const name of reader.entries.keys()) {
    if (!name.startsWith("grad.")) continue;
    const wanted = await reader.readFloat32(name);
    yield judged(
      folder,
      name,
      maxDifference(got.get(name), wanted),
      GRADIENT.relative * maxAbsolute(wanted) + GRADIENT.absolute,
    );
  }
}

/**
 * The training runs: losses and gradient norms of every step, the loss after the last, and where the projector ended.
 * @param {Golden} golden
 * @param {string} backend
 * @returns {AsyncGenerator<Comparison>}
 */
export async function* compareRuns(golden, backend) {
  const { folder, facts, reader, batch } = golden;
  for (const [run, wanted] of Object.entries(facts.runs)) {
    let lossAfter = NaN;
    /** @type {Map<string, Float32Array>} */
    const end = new Map();
    const ends =
      run === "projector"
        ? [...reader.entries.keys()].filter((name) => name.startsWith("end.")).map((name) => name.slice(4))
        : [];
    const after = async (/** @type {import("@thaw/core").Session} */ session) => {
      const { lossSum, supervisedTokenCount } = await session.loss(batch);
      lossAfter = lossSum / supervisedTokenCount;
      for (const name of ends) end.set(name, await session.readParameter(name));
    };
    const { losses, norms } = await train(golden, backend, wanted.trainable, facts.optimizer.steps, { after });
    yield judged(folder, `${run}/losses`, maxDifference(losses, wanted.losses), LOSS);
    yield judged(folder, `${run}/grad_norms`, maxRelativeDifference(norms, wanted.grad_norms), NORM);
    yield judged(folder, `${run}/loss_after`, maxDifference([lossAfter], [wanted.loss_after]), LOSS);
    for (const name of ends)
      yield judged(
        folder,
        `${run}/end.${name}`,
        maxDifference(end.get(name), await reader.readFloat32(`end.${name}`)),
        END,
      );
  }
}
