import type { Setting } from "@thaw/contracts";
import { trainingSchemaOf, type ResolvedTrainingOptions } from "../api/options.js";
import { API_VERSION, type Plugin } from "../api/plugin.js";
import { joinSettings, settingsOf } from "../api/settings.js";
import type { TrainerOptions } from "../api/trainer-options.js";
import { pluginApiVersion, pluginNameTwice } from "../errors/plugins.js";
import { deepFreeze } from "../plan/plan.js";
import { processesInvalid } from "../errors/ensemble.js";
import { optionMissing, stopRuleUnknown, trainingInvalid } from "../errors/options.js";
import { bestOf } from "../evaluation/directions.js";
import { chosenTrackers } from "../trackers/options.js";
import type { Registry } from "../provides/registry.js";
import type { TrainerParts } from "./trainer-parts.js";

/**
 * Checks what only a run needs. @throws THAW_CORE_OPTION_MISSING, THAW_CORE_PROCESSES_INVALID,
 * THAW_CORE_STOP_RULE_UNKNOWN
 */
export function checkRunOptions({ options, training }: Pick<TrainerParts, "options" | "training">): void {
  if (options.data?.train === undefined) throw optionMissing("data.train", "Give a source of samples.");
  if (options.seed === undefined)
    throw optionMissing("seed", "Give any whole number: shuffling and initial values are functions of it.");
  const { processes = 1 } = options;
  if (!Number.isSafeInteger(processes) || processes < 1) throw processesInvalid(processes);
  if (training.epochs === undefined && training.maxSteps === undefined)
    throw optionMissing("training.epochs", "Give training.epochs or training.maxSteps.");
  const evaluations = [
    ...Object.keys(options.data?.evaluation ?? {}),
    ...(options.evaluators ?? []).map(({ name }) => name),
  ];
  for (const [option, wanted] of [
    ["stopWhen", training.stopWhen?.evaluation],
    ["keep.best", bestOf(training)?.evaluation],
  ] as const)
    if (wanted !== undefined && !evaluations.includes(wanted)) throw stopRuleUnknown(option, wanted, evaluations);
}

/**
 * Training options with defaults filled in, deep-frozen; trackers are checked with them.
 * @throws THAW_CORE_TRAINING_INVALID, THAW_CORE_TRACKERS_INVALID
 */
export function resolveTraining(
  { training = {}, trackers = [] }: TrainerOptions,
  registry: Registry,
): ResolvedTrainingOptions {
  chosenTrackers(trackers, registry);
  const result = trainingSchemaOf({
    optimizers: registry.all("optimizers"),
    schedules: registry.all("schedules"),
  }).safeParse(training);
  if (result.success) return deepFreeze(result.data);
  throw trainingInvalid(result.error.issues);
}

/** The plugins of a trainer. @throws THAW_CORE_PLUGIN_API_VERSION, THAW_CORE_PLUGIN_NAME_TWICE */
export function givenPlugins(options: TrainerOptions): readonly Plugin[] {
  const plugins = (options.plugins ?? []).filter((plugin): plugin is Plugin => Boolean(plugin));
  const names = new Set<string>();
  for (const { name, apiVersion } of plugins) {
    if (apiVersion !== API_VERSION) throw pluginApiVersion(name, apiVersion, API_VERSION);
    if (names.has(name)) throw pluginNameTwice(name);
    names.add(name);
  }
  return plugins;
}

/** Every setting of the run and its plugins, with its origin. */
export function collectSettings(options: TrainerOptions, plugins: readonly Plugin[]): readonly Setting[] {
  return Object.freeze(
    joinSettings(
      options.settings ?? settingsOf("training", options.training),
      ...plugins.map(({ settings }) => settings ?? []),
    ),
  );
}
