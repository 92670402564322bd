import {
  nameList,
  nearestNames,
  toSnakeCase,
  type Finding,
  type ParameterInfo,
  type Plan,
  type PlanEntry,
  type Setting,
} from "@thaw/contracts";
import type { ParameterGroup } from "../api/contexts.js";
import type { ResolvedTrainingOptions } from "../api/options.js";

/**
 * One group per component that trains in some phase, with the component's own rates where `training.components` gives
 * them.
 */
export function defaultGroups(plan: Plan, training: ResolvedTrainingOptions): readonly ParameterGroup[] {
  const overrides = new Map(Object.entries(training.components).map(([key, value]) => [toSnakeCase(key), value]));
  return trainedGroupNames(plan).map((name): ParameterGroup => {
    const own = overrides.get(toSnakeCase(name));
    const layerDecay = own?.layerDecay ?? training.layerDecay;
    return {
      name,
      learningRate: own?.learningRate ?? training.learningRate,
      weightDecay: own?.weightDecay ?? training.optimizer.weightDecay,
      schedule: own?.schedule ?? training.schedule,
      ...(own?.clipNorm === undefined ? {} : { clipNorm: own.clipNorm }),
      ...(layerDecay === undefined ? {} : { layerDecay }),
    };
  });
}

/** Every group that a trained entry names must exist. */
export function checkGroups(groups: readonly ParameterGroup[], plan: Plan): readonly Finding[] {
  const names = new Set(groups.map(({ name }) => name));
  const missing = trainedGroupNames(plan).filter((name) => !names.has(name));
  if (missing.length === 0) return [];
  return [
    {
      rule: "plan-incomplete",
      severity: "error",
      settings: [],
      message: `The plan uses the groups ${nameList(missing)}, which have no learning rate.`,
      fix: "Return a group of that name from the parameterGroups hook.",
    },
  ];
}

/** `training.components` keys that name no component. */
export function checkComponentKeys(
  training: ResolvedTrainingOptions,
  components: readonly string[],
  settings: readonly Setting[],
): readonly Finding[] {
  const known = new Set(components.map(toSnakeCase));
  return Object.keys(training.components)
    .filter((key) => !known.has(toSnakeCase(key)))
    .map((key): Finding => {
      const nearest = nearestNames(toSnakeCase(key), components, 1)[0];
      return {
        rule: "selector-matches-nothing",
        severity: "error",
        message: `training.components.${key} names no component of this model.`,
        fix:
          nearest === undefined
            ? `Components are: ${components.join(", ")}.`
            : `Write ${nearest}; components are: ${components.join(", ")}.`,
        settings: settings.filter(
          ({ path }) => path === `training.components.${key}` || path.startsWith(`training.components.${key}.`),
        ),
      };
    });
}

/** Decays from layer to layer where there are no layers: of a component, or of none that trains. */
export function checkLayerDecay(
  training: ResolvedTrainingOptions,
  {
    plan,
    layered,
    settings,
  }: { readonly plan: Plan; readonly layered: ReadonlySet<string>; readonly settings: readonly Setting[] },
): readonly Finding[] {
  const trained = new Set(
    plan.phases.flatMap(({ entries }) => entries).flatMap((entry) => (entry.trainable ? [entry.component] : [])),
  );
  const known = new Set([...layered].map(toSnakeCase));
  const keys = Object.entries(training.components)
    .filter(([key, { layerDecay }]) => layerDecay !== undefined && !known.has(toSnakeCase(key)))
    .map(([key]) => [`training.components.${key}.layerDecay`, `${key} has`]);
  const isIdle =
    training.layerDecay !== undefined && trained.size > 0 && ![...trained].some((name) => layered.has(name));
  const idle = isIdle ? [["training.layerDecay", "what trains has"]] : [];
  return [...keys, ...idle].map(([path, who]) => ({
    rule: "selector-matches-nothing",
    severity: "error",
    message: `${path!.replace("layerDecay", "layer_decay")} changes nothing: ${who} no numbered layers.`,
    fix: "Leave it out, or give it to a component with layers, such as vision_tower.",
    settings: settings.filter((setting) => toSnakeCase(setting.path) === toSnakeCase(path!)),
  }));
}

/** Whether weight decay applies: not to norms and biases (tensors of fewer than two dimensions) unless asked. */
export function decays(parameter: ParameterInfo, training: ResolvedTrainingOptions): boolean {
  return training.optimizer.decayNormsAndBiases || parameter.shape.length >= 2;
}

function trainedGroupNames(plan: Plan): readonly string[] {
  const trained = plan.phases.flatMap(({ entries }) => entries.filter((entry: PlanEntry) => entry.trainable));
  return [...new Set(trained.map(({ group }) => group))];
}
