// @ts-check
import { engine } from "@tensorflow/tfjs-core";
import { backendGpu } from "@thaw/backend-gpu";
import { API_VERSION, definePlugin, Trainer } from "@thaw/core";
import { openModel } from "@thaw/models";
import freezePolicy from "@thaw/plugin-freeze-policy";
import lora from "@thaw/plugin-lora";
import projectorOnly from "@thaw/plugin-projector-only";
import { judged, maxAbsolute, maxDifference, maxRelativeDifference } from "../parity/compare.mjs";
import { batchOf, raggedRows, rowSource, withUnseenItems } from "./rows.mjs";
import { stateOf } from "./states.mjs";

/** @typedef {import("../parity/compare.mjs").Comparison} Comparison */
/** @typedef {import("./rows.mjs").Golden} Golden */

/**
 * Losses relative to themselves; gradients and trained parameters to the largest value of their tensor, the gradients
 * as goldens/README.md has it: float32 sums in another order, over up to six steps.
 */
const TOLERANCE = { losses: 1e-4, gradients: 1e-3, parameters: 1e-3 };
/** Share of a step's largest gradient below which a tensor's gradient is rounding alone, as of biases of keys. */
const SMALL = 1e-3;
/** Samples of a step, however many batches it takes. */
const STEP_SAMPLES = 2;
/** In the second one the pictures are known. */
const EPOCHS = 2;

/** @type {import("@thaw/plugin-projector-only").ProjectorOnlyOptions} */
const NOTHING_SAVED = {
  featureCache: "off",
  savings: { padding: false, tail: false, lastLayer: false, logits: false, prefix: false, releaseTower: false },
};

/** Families whose tokens all depend on pictures, or whose layers hand a state on: nothing before a picture is apart. */
const WITHOUT_PREFIX = ["paligemma", "qwen3_5", "qwen3_5_moe", "minicpmv4_6"];

/**
 * What a run left: losses of its steps and of what was looked at behind them, gradients of every step, parameters at
 * the end, its summary, and how many tensors it left behind.
 * @typedef {object} Run
 * @property {readonly number[]} losses
 * @property {readonly ReadonlyMap<string, Float32Array>[]} gradients
 * @property {ReadonlyMap<string, Float32Array>} trained
 * @property {import("@thaw/core").RunSummary} summary
 * @property {number} leaked
 */

/**
 * Trains a golden folder in one state on its ragged rows, with every saving and with none.
 * @param {Golden} golden
 * @param {object} options
 * @param {string} options.backend
 * @param {string} options.state one of `STATE_NAMES`
 * @param {readonly number[]} options.microBatchSizes
 * @param {number} [options.rowCount] of the first ragged rows alone
 * @returns {AsyncGenerator<Comparison>} nothing where the family has no part of that kind
 */
export async function* compareSavings(golden, { backend, state, microBatchSizes, rowCount }) {
  const { folder, facts } = golden;
  const freeze = stateOf(state, await openModel(folder), facts);
  if (freeze === undefined) return;
  const options = { backend, freeze, rows: raggedRows(golden).slice(0, rowCount) };
  const plain = await train(golden, {
    ...options,
    microBatchSize: STEP_SAMPLES,
    savings: NOTHING_SAVED,
    isUnseenShown: true,
  });
  for (const microBatchSize of microBatchSizes) {
    // With pictures that the run has not seen a released tower comes back, and the summary counts nothing as released.
    const isUnseenShown = microBatchSize === 1;
    const saved = await train(golden, {
      ...options,
      microBatchSize,
      savings: { featureCache: "auto" },
      isUnseenShown,
    });
    const name = `${state}, batches of ${microBatchSize}`;
    for (const [quantity, error] of Object.entries(differences(saved, plain)))
      yield judged(folder, `${name}/${quantity}`, error, TOLERANCE[/** @type {keyof typeof TOLERANCE} */ (quantity)]);
    yield judged(folder, `${name}/unused savings`, unused(saved, facts.model_type, freeze, microBatchSize).length, 0);
    yield judged(folder, `${name}/unproven`, unproven(saved, freeze).length, 0);
    yield judged(folder, `${name}/tensors left`, saved.leaked, 0);
  }
}

/**
 * @param {Golden} golden
 * @param {object} options
 * @param {string} options.backend
 * @param {import("@thaw/plugin-freeze-policy").FreezePolicyOptions} options.freeze
 * @param {readonly import("./rows.mjs").Row[]} options.rows
 * @param {number} options.microBatchSize
 * @param {import("@thaw/plugin-projector-only").ProjectorOnlyOptions} options.savings
 * @param {boolean} options.isUnseenShown pictures or clips that the run has not seen are looked at behind its end
 * @returns {Promise<Run>}
 */
async function train(golden, { backend, freeze, rows, microBatchSize, savings, isUnseenShown }) {
  /** @type {number[]} */
  const losses = [];
  /** @type {Map<string, Float32Array>[]} */
  const gradients = [];
  /** @type {Map<string, Float32Array>} */
  const trained = new Map();
  const watch = definePlugin({
    name: "SavingsWatch",
    apiVersion: API_VERSION,
    apply: ({ hooks }) => {
      hooks.gradients.tap("SavingsWatch", (given) => {
        gradients.push(new Map([...given].map(([name, tensor]) => [name, Float32Array.from(tensor.dataSync())])));
        return given;
      });
      hooks.afterStep.tap("SavingsWatch", ({ loss }) => void losses.push(loss));
      hooks.done.tapPromise("SavingsWatch", async (_, { readParameter, plan }) => {
        for (const { name } of plan.phases.at(-1)?.entries.filter(({ trainable }) => trainable) ?? [])
          trained.set(name, await readParameter(name));
      });
    },
  })();
  const trainer = new Trainer({
    model: withoutEdges(await openModel(golden.folder)),
    data: { train: rowSource(rows) },
    seed: 0,
    plugins: [backendGpu(/** @type {never} */ (backend)), freezePolicy(freeze), lora(), projectorOnly(savings), watch],
    // A large epsilon: AdamW makes gradients that are rounding alone as large as all others.
    training: {
      epochs: EPOCHS,
      microBatchSize,
      gradientAccumulationSteps: STEP_SAMPLES / microBatchSize,
      shuffle: false,
      learningRate: 1e-3,
      optimizer: { epsilon: 1e-3 },
    },
    evaluators: [
      {
        name: "after",
        atStart: false,
        evaluate: async (session) => {
          const unseen = isUnseenShown ? [batchOf(rows.slice(0, 3).map(withUnseenItems))] : [];
          for (const batch of [batchOf(rows), ...unseen]) {
            const { lossSum, supervisedTokenCount } = await session.loss(batch);
            losses.push(lossSum / supervisedTokenCount);
          }
          return {};
        },
      },
    ],
  });
  const before = engine().state.numTensors;
  const summary = await trainer.run();
  return { losses, gradients, trained, summary, leaked: engine().state.numTensors - before };
}

/**
 * @param {Run} one
 * @param {Run} other
 */
function differences(one, other) {
  const ofGradients = one.gradients.map((gradients, step) => apart(gradients, other.gradients[step] ?? new Map()));
  return {
    losses: maxRelativeDifference(one.losses, other.losses.slice(0, one.losses.length)),
    gradients: one.gradients.length === other.gradients.length ? Math.max(...ofGradients) : Infinity,
    parameters: apart(one.trained, other.trained),
  };
}

/**
 * @param {ReadonlyMap<string, Float32Array>} one
 * @param {ReadonlyMap<string, Float32Array>} other
 */
function apart(one, other) {
  if (one.size !== other.size || one.size === 0) return Infinity;
  const largest = new Map([...one].map(([name, values]) => [name, maxAbsolute(values)]));
  const floor = SMALL * Math.max(...largest.values());
  return Math.max(
    ...[...one].map(
      ([name, values]) =>
        maxDifference(other.get(name), values) / Math.max(/** @type {number} */ (largest.get(name)), floor),
    ),
  );
}
/**
 * Savings that should have left something out and did not.
 * @param {Run} run
 * @param {string} modelType
 * @param {import("@thaw/plugin-freeze-policy").FreezePolicyOptions} freeze
 * @param {number} microBatchSize
 */
function unused({ summary }, modelType, { components = {} }, microBatchSize) {
  const towers = Object.keys(components).filter((component) => component.endsWith("_tower"));
  const areTowersFrozen = towers.length > 0 && towers.every((component) => components[component] === "frozen");
  const isPrefixApart = components.language_model === "frozen" && !WITHOUT_PREFIX.includes(modelType);
  const wanted = {
    rowsPadding: microBatchSize > 1,
    rowsTail: true,
    rowsLastLayer: true,
    rowsLogits: true,
    rowsUnrecorded: isPrefixApart,
    featureCacheHits: areTowersFrozen,
    releasedBytes: areTowersFrozen && microBatchSize > 1,
  };
  return Object.entries(wanted).filter(([name, isWanted]) => isWanted && !((summary.numbers[name] ?? 0) > 0));
}

/**
 * Frozen components that the run has not proven unchanged.
 * @param {Run} run
 * @param {import("@thaw/plugin-freeze-policy").FreezePolicyOptions} freeze
 */
function unproven({ summary }, { components = {} }) {
  const proven = summary.frozenProof.filter(({ isUnchanged }) => isUnchanged).map(({ component }) => component);
  const moved = summary.frozenProof.filter(({ isUnchanged }) => !isUnchanged).map(({ component }) => component);
  const frozen = Object.entries(components).filter(([, state]) => state === "frozen" || isAdapted(state));
  return [...moved, ...frozen.map(([component]) => component).filter((component) => !proven.includes(component))];
}

/** @param {import("./states.mjs").State} state */
function isAdapted(state) {
  return typeof state === "object" && state.lora !== undefined;
}

/**
 * The model with bounds that nothing reaches. Gemma 4's goldens cut a tenth of all values off: where rounding moves one
 * over the edge, its gradient jumps. `npm run parity` compares the cutting itself.
 * @param {import("@thaw/contracts").Model} model
 * @returns {import("@thaw/contracts").Model}
 */
function withoutEdges(model) {
  return {
    ...model,
    load: async function* (names) {
      for await (const each of model.load(names))
        yield /_(?:min|max)$/u.test(each.name) ? { ...each, values: each.values.map((bound) => 1e3 * bound) } : each;
    },
  };
}
