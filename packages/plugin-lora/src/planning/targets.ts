import type { Model, ParameterInfo } from "@thaw/core";
import { moduleName } from "./module-names.js";
import { ALL_LINEAR } from "../options.js";

/** A layer that can have an adapter. */
export interface LinearLayer {
  /** As the checkpoint names it, without `.weight`. */
  readonly module: string;
  readonly inputs: number;
  readonly outputs: number;
}

const WEIGHT = ".weight";

/**
 * The linear layers of a component that a gradient can reach. The model says which those are; of one that says nothing
 * (its forward pass is unknown) matrices count that are neither embedding, norm nor output layer.
 */
export function linearLayers(model: Model, isOwned: (name: string) => boolean): readonly LinearLayer[] {
  const says = model.parameters.some(({ isLinear }) => isLinear === true);
  const dead = new Set(model.deadParameters);
  const { input, output } = model.text.embeddings ?? {};
  const isLayer = (parameter: ParameterInfo): boolean =>
    says
      ? parameter.isLinear === true
      : looksLinear(parameter) && parameter.name !== input && parameter.name !== output;
  return model.parameters
    .filter((parameter) => isLayer(parameter) && isOwned(parameter.name) && !dead.has(parameter.name))
    .map(({ name, shape }) => ({
      module: name.slice(0, -WEIGHT.length),
      outputs: shape[0]!,
      inputs: shape[1]!,
    }));
}

/**
 * Layers that the targets name, in the model's order, and targets that name none. A name is whole, or the last segments
 * of one, as in PEFT.
 */
export function selectLayers(
  layers: readonly LinearLayer[],
  targets: string | readonly string[],
  model: Model,
): { readonly selected: readonly LinearLayer[]; readonly unmatched: readonly string[] } {
  if (targets === ALL_LINEAR) return { selected: layers, unmatched: [] };
  const wanted = typeof targets === "string" ? [targets] : targets;
  const hits = (target: string, { module }: LinearLayer): boolean =>
    [module, moduleName(model, module)].some((name) => name === target || name.endsWith(`.${target}`));
  return {
    selected: layers.filter((layer) => wanted.some((target) => hits(target, layer))),
    unmatched: wanted.filter((target) => !layers.some((layer) => hits(target, layer))),
  };
}

/** Distinct last segments of layers: what a user would write. */
export function targetNames(layers: readonly LinearLayer[]): readonly string[] {
  return [...new Set(layers.map(({ module }) => module.slice(module.lastIndexOf(".") + 1)))];
}

function looksLinear({ name, shape }: ParameterInfo): boolean {
  return (
    shape.length === 2 && name.endsWith(WEIGHT) && !/embed|norm|(^|\.)lm_head\.|(^|\.)wte\.|(^|\.)shared\./i.test(name)
  );
}
