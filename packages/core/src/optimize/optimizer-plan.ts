import { elementCount, FLOAT32_BYTES, type Model, type ParameterInfo } from "@thaw/contracts";
import type { Backend } from "../api/contexts.js";
import type { OptimizedParameter, Optimizer, OptimizerFactory, OptimizerPlan } from "../api/optimizer.js";
import type { ResolvedTrainingOptions } from "../api/options.js";

/** What a run's optimizer keeps, known before one is made. */
export function planOptimizer(
  { optimizer }: ResolvedTrainingOptions,
  optimizers: readonly OptimizerFactory[],
  model: Model,
  processes = 1,
): OptimizerPlan {
  const factory = factoryOf(optimizer.type, optimizers);
  const describe = describer(model);
  return Object.freeze({
    type: factory.type,
    keeps: factory.keeps(optimizer),
    shares: optimizer.zeroStage > 0 ? processes : 1,
    slotBytes: (parameter: ParameterInfo): number =>
      FLOAT32_BYTES *
      Object.values(factory.slots(optimizer, describe(parameter))).reduce((sum, shape) => sum + elementCount(shape), 0),
  });
}

/** The optimizer that a run's options name. */
export function ownOptimizer(
  { optimizer }: ResolvedTrainingOptions,
  optimizers: readonly OptimizerFactory[],
  { model, parameters }: { readonly model: Model; readonly parameters: readonly ParameterInfo[] },
  { joinBytes }: Pick<Backend, "joinBytes">,
): Optimizer {
  const describe = describer(model);
  const known = new Map(parameters.map((parameter) => [parameter.name, describe(parameter)]));
  return factoryOf(optimizer.type, optimizers).make(optimizer, { joinBytes, parameter: (name) => known.get(name)! });
}

/** The schema let no other type through. */
function factoryOf(type: string, optimizers: readonly OptimizerFactory[]): OptimizerFactory {
  return optimizers.find((factory) => factory.type === type)!;
}

/**
 * Tables are the matrices that embed tokens or make logits, and those with "embed" in their names, such as tables of
 * positions (by these words LLaMA-Factory keeps them from Muon, too).
 */
function describer(model: Model): (parameter: ParameterInfo) => OptimizedParameter {
  const { input, output } = model.text.embeddings ?? {};
  return ({ name, shape, tiedNames = [] }) => ({
    name,
    shape,
    isTable: [name, ...tiedNames].some((one) => one === input || one === output || /embed|lm_head/i.test(one)),
  });
}
