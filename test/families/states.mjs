// @ts-check
import { ownerByPrefix } from "@thaw/contracts";

/** @typedef {NonNullable<import("@thaw/plugin-freeze-policy").FreezePolicyOptions["components"]>[string]} State */
/** @typedef {import("@thaw/contracts").Model} Model */
/** @typedef {import("@thaw/contracts").ParameterInfo} ParameterInfo */
/** @typedef {{ readonly without_gradient: readonly string[] }} Facts */

const ADAPTER = { lora: { rank: 2 } };

/**
 * What of a model trains, by what a reader would say of it: the states of towers, projectors and the language model.
 * Those of a tower may depend on its parameters.
 * @type {Readonly<Record<string, { readonly tower?: State | ((parameters: readonly ParameterInfo[], facts: Facts) =>
 * State), readonly projector?: State, readonly languageModel?: State }>>}
 */
const STATES = {
  projector: { projector: "train" },
  "projector and adapters of the language model": { projector: "train", languageModel: ADAPTER },
  "projector and language model": { projector: "train", languageModel: "train" },
  "last block of the tower": { tower: lastReachedBlock },
  "tower by match": { tower: byMatch },
  "adapters of the tower": { tower: ADAPTER },
  "projector, and the tower from step 4 on": { tower: { unfreezeAtStep: 4 }, projector: "train" },
  everything: { tower: "train", projector: "train", languageModel: "train" },
};

export const STATE_NAMES = Object.keys(STATES);

/**
 * Freeze settings with adapters of all linear layers of towers and language model, beside projectors of which all
 * modules train whole: PEFT has no place for a parameter outside of them (LLaVA-NeXT's newline).
 * @param {Model} model
 */
export function adaptersOf(model) {
  const ofModules = (/** @type {readonly ParameterInfo[]} */ parameters) => ({
    match: parameters.map(({ name }) => name).filter((name) => /\.(?:weight|bias)$/u.test(name)),
  });
  return settingsOf(model, { tower: () => ADAPTER, projector: ofModules, languageModel: ADAPTER });
}

/**
 * The freeze settings of a state; undefined where it names a tower and the model has none.
 * @param {string} name one of {@link STATE_NAMES}
 * @param {Model} model
 * @param {Facts} facts
 * @returns {import("@thaw/plugin-freeze-policy").FreezePolicyOptions | undefined}
 */
export function stateOf(name, model, facts) {
  const state = STATES[name] ?? {};
  const { tower } = state;
  const freeze = settingsOf(model, {
    ...state,
    tower: (parameters) => (typeof tower === "function" ? tower(parameters, facts) : (tower ?? "frozen")),
    projector: () => state.projector ?? "frozen",
  });
  const hasTower = Object.keys(freeze.components).some((component) => component.endsWith("_tower"));
  return tower !== undefined && tower !== "train" && !hasTower ? undefined : freeze;
}

/**
 * @param {Model} model
 * @param {object} states
 * @param {(parameters: readonly ParameterInfo[]) => State} states.tower
 * @param {(parameters: readonly ParameterInfo[]) => State} states.projector
 * @param {State} [states.languageModel]
 */
function settingsOf(model, { tower, projector, languageModel = "frozen" }) {
  /** @type {Record<string, State>} */
  const components = {};
  for (const component of model.components) {
    const parameters = model.parameters.filter((one) => ownerByPrefix(one.name, model.components) === component.name);
    if (parameters.length === 0) continue;
    if (component.name === "language_model") components[component.name] = languageModel;
    else components[component.name] = (component.name.endsWith("_tower") ? tower : projector)(parameters);
  }
  return { components };
}

/**
 * As many last blocks as it takes to have one that the loss reaches: CLIP's last is behind the features.
 * @param {readonly ParameterInfo[]} parameters
 * @param {Facts} facts
 * @returns {State}
 */
function lastReachedBlock(parameters, { without_gradient: unreached }) {
  const blockOf = (/** @type {string} */ name) => Number(/\.(?:layers|layer|blocks)\.(\d+)\./u.exec(name)?.[1]);
  const blocks = parameters.map(({ name }) => blockOf(name)).filter((block) => !Number.isNaN(block));
  const reached = parameters
    .filter(({ name }) => !unreached.includes(name))
    .map(({ name }) => blockOf(name))
    .filter((block) => !Number.isNaN(block));
  return { lastBlocks: 1 + Math.max(...blocks) - Math.max(...reached) };
}

/**
 * A linear layer in the middle of the tower.
 * @param {readonly ParameterInfo[]} parameters
 * @param {Facts} facts
 * @returns {State}
 */
function byMatch(parameters, { without_gradient: unreached }) {
  const linear = parameters.filter(({ name, isLinear }) => isLinear === true && !unreached.includes(name));
  return { match: [/** @type {ParameterInfo} */ (linear[Math.floor(linear.length / 2)]).name] };
}
