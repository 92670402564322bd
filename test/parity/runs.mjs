// @ts-check
import { clone, keep } from "@tensorflow/tfjs-core";
import { backendGpu } from "@thaw/backend-gpu";
import { API_VERSION, definePlugin, Trainer } from "@thaw/core";
import { openModel } from "@thaw/models";
import { judged, maxAbsolute, maxDifference, maxRelativeDifference } from "./compare.mjs";
import { onlyBatch } from "./golden.mjs";
import { compareWritten } from "./written.mjs";

/** @typedef {Awaited<ReturnType<typeof import("./golden.mjs").openGolden>>} Golden */
/** @typedef {import("./compare.mjs").Comparison} Comparison */

/** goldens/README.md, section Tolerances. */
const OUTPUT = 1e-4;
const LOSS = 1e-4;
const NORM = 1e-3;
const END = 1e-4;
/** Share of a tensor's largest gradient below which one is rounding, which AdamW makes a whole step of. */
const ROUNDING = 1e-5;
const GRADIENT = { relative: 1e-3, absolute: 1e-6 };
/** By modality, the segment whose output the goldens call features. */
const FEATURES = { image: "multi_modal_projector", audio: "audio_projector" };

/**
 * Trains the components in `trainable` (all parameters if null) as the golden's optimizer did, for `steps` steps.
 * @param {Golden} golden
 * @param {string} backend
 * @param {readonly string[] | null} trainable
 * @param {number} steps
 * @param {{ batch?: import("@thaw/contracts").Batch, plugins?: readonly import("@thaw/core").Plugin[], before?: Look,
 * after?: Look }} [more]
 */
async function train(golden, backend, trainable, steps, { batch = golden.batch, plugins = [], before, after } = {}) {
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
    data: { train: onlyBatch(batch) },
    plugins: [
      // Numbers are the same whatever computes WebGPU's
      backendGpu(/** @type {never} */ ({ name: backend, fallbackAdapter: true })),
      ...(trainable === null ? [] : [trainsOnly(trainable)]),
      watch,
      ...plugins,
    ],
    seed: 0,
    training: {
      maxSteps: steps,
      microBatchSize: batch.batchSize,
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
    evaluators: [...looking("before", before), ...looking("after", after)],
  });
  await trainer.run();
  return log;
}

/** @typedef {(session: import("@thaw/core").Session) => Promise<void>} Look */

/**
 * An evaluator that looks at the session once: before the first step, or after the last.
 * @param {"before" | "after"} name
 * @param {Look | undefined} look
 * @returns {import("@thaw/core").Evaluator[]}
 */
function looking(name, look) {
  if (look === undefined) return [];
  let isDone = false;
  const evaluate = async (/** @type {import("@thaw/core").Session} */ session) => {
    if (!isDone) await look(session);
    isDone = true;
    return {};
  };
  return [{ name, atStart: name === "before", evaluate }];
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
 * Tensors of one step with every parameter trained, and its loss, norm and gradients.
 * @param {Golden} golden
 * @param {string} backend
 * @param {import("@thaw/contracts").Batch} batch
 * @param {Look} [before]
 */
async function probe(golden, backend, batch, before) {
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
  const watch = plugin("ParityProbe", ({ hooks }) => {
    hooks.loss.tap("ParityProbe", (loss, { output, segmentOutput }) => {
      for (const [modality, segment] of Object.entries(FEATURES))
        take(`${modality}_features`, segmentOutput(segment)?.tensor);
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
  const { losses, norms } = await train(golden, backend, null, 1, { batch, plugins: [watch], before });
  return { got, losses, norms };
}

/**
 * One step with every parameter trained: features, logits, loss, norm and gradients; what is written; the batch of
 * conversations of several turns.
 * @param {Golden} golden
 * @param {string} backend
 * @returns {AsyncGenerator<Comparison>}
 */
export async function* compareOutputs(golden, backend) {
  const { folder, facts, reader, batch, multi } = golden;
  /** @type {Comparison | undefined} */
  let written;
  const { got, losses, norms } = await probe(golden, backend, batch, async (session) => {
    if (facts.greedy !== undefined) written = await compareWritten(golden, session);
  });
  yield* compareFeatures(golden, got);
  const logits = await reader.readFloat32("out.logits");
  const vocabulary = logits.length / batch.attentionMask.length;
  const isReal = (/** @type {number} */ index) => batch.attentionMask[Math.floor(index / vocabulary)] === 1;
  yield judged(folder, "logits", maxDifference(got.get("logits"), logits, isReal), OUTPUT);
  yield judged(folder, "loss", maxDifference(losses, [facts.loss]), LOSS);
  yield judged(folder, "grad_norm", maxRelativeDifference(norms, [facts.grad_norm]), NORM);
  for (const name of reader.entries.keys()) {
    if (!name.startsWith("grad.")) continue;
    const wanted = await reader.readFloat32(name);
    yield judged(
      folder,
      name,
      maxDifference(got.get(name) ?? expertsGradient(got, name, reader.entry(name).shape), wanted),
      GRADIENT.relative * maxAbsolute(wanted) + GRADIENT.absolute,
    );
  }
  if (written !== undefined) yield written;
  if (multi === undefined) return;
  const several = await probe(golden, backend, multi);
  const all = several.got.get("logits");
  yield judged(
    folder,
    "multi/logits",
    maxDifference(
      all?.filter((_, index) => multi.attentionMask[Math.floor(index / vocabulary)] === 1),
      await reader.readFloat32("multi.out.logits"),
    ),
    OUTPUT,
  );
  yield judged(folder, "multi/loss", maxDifference(several.losses, [facts.multi.loss]), LOSS);
}

/**
 * Features, and those for later layers, which lie behind them in the width.
 * @param {Golden} golden
 * @param {ReadonlyMap<string, Float32Array>} got
 * @returns {AsyncGenerator<Comparison>}
 */
async function* compareFeatures({ folder, reader, batch, items }, got) {
  for (const modality of Object.keys(FEATURES)) {
    const name = `${modality}_features`;
    if (!reader.entries.has(`out.${name}`)) continue;
    const [rows, width] = /** @type {[number, number]} */ (reader.entry(`out.${name}`).shape);
    const whole = withoutIndicators(got.get(name), batch, items, modality);
    const outputs = [name, ...[...reader.entries.keys()].filter((key) => key.startsWith("out.deepstack_features."))];
    const columns = (whole?.length ?? 0) / rows;
    for (const [index, output] of outputs.entries()) {
      const own = whole?.filter((_, at) => Math.floor((at % columns) / width) === index);
      const wanted = await reader.readFloat32(index === 0 ? `out.${name}` : output);
      yield judged(folder, index === 0 ? name : output.slice(4), maxDifference(own, wanted), OUTPUT);
    }
  }
}

/**
 * Features of one modality without the rows that other tokens of a placeholder became, which no golden has among its
 * features.
 * @param {Float32Array | undefined} features
 * @param {Golden["batch"]} batch
 * @param {Golden["items"]} items
 * @param {string} modality
 */
function withoutIndicators(features, { media, tokenIds, tokenCount }, items, modality) {
  const id = items.find((item) => item.modality === modality)?.plan.tokenId;
  const isFeature = media
    .filter((item) => item.modality === modality)
    .flatMap(({ sample, columns }) => [...columns].map((column) => tokenIds[sample * tokenCount + column] === id));
  const width = (features?.length ?? 0) / isFeature.length;
  return features?.filter((_, at) => isFeature[Math.floor(at / width)]);
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
    for (const name of ends) {
      const gradient = await reader.readFloat32(`grad.${name}`);
      const small = ROUNDING * maxAbsolute(gradient);
      const isMoved = (/** @type {number} */ index) => Math.abs(gradient[index] ?? 0) > small;
      const error = maxDifference(end.get(name), await reader.readFloat32(`end.${name}`), isMoved);
      yield judged(folder, `${run}/end.${name}`, error, END);
    }
  }
}

/**
 * The gradient of an expert that no row asked, which is zero; or of all experts that a file holds in one tensor, put
 * together of those that Thaw has by expert.
 * @param {ReadonlyMap<string, Float32Array>} got
 * @param {string} name
 * @param {readonly number[]} shape
 */
function expertsGradient(got, name, shape) {
  if (/\.experts\.\d+\./u.test(name)) return new Float32Array(shape.reduce((total, size) => total * size, 1));
  const [, experts, part] = /^(.+\.experts)\.(gate_up_proj|down_proj)$/u.exec(name) ?? [];
  if (experts === undefined) return undefined;
  const [count, rows, columns] = /** @type {[number, number, number]} */ (shape);
  const names = part === "down_proj" ? ["down_proj"] : ["gate_proj", "up_proj"];
  const whole = new Float32Array(count * rows * columns);
  const size = (rows * columns) / names.length;
  for (let expert = 0; expert < count; expert++)
    names.forEach((own, index) => {
      const values = got.get(`${experts}.${expert}.${own}.weight`);
      if (values !== undefined) whole.set(values, (expert * names.length + index) * size);
    });
  return whole;
}
