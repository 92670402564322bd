import type { Backend, PlannedContext } from "../api/contexts.js";
import type { Optimizer } from "../api/optimizer.js";
import { gradientsShared } from "../errors/ensemble.js";
import type { Ensemble } from "../ensemble/ensemble.js";
import { ShardedOptimizer } from "../ensemble/sharded-optimizer.js";
import { everTrained } from "../plan/plan.js";
import { lastCalled } from "../run/tap-facts.js";
import type { TrainerParts } from "../run/trainer-parts.js";
import { ownOptimizer } from "./optimizer-plan.js";

/**
 * A plugin's optimizer with the plugin's name, or the one that the options name; among several processes and with
 * `zeroStage` above 0 it is shared out. @throws THAW_CORE_GRADIENTS_SHARED where gradients are too, and a plugin takes
 * part in them
 */
export function makeOptimizer(
  parts: TrainerParts,
  planned: PlannedContext,
  backend: Backend,
  ensemble: Ensemble,
): { readonly optimizer: Optimizer; readonly optimizerPlugin?: string } {
  const { hooks, training, watch, registry } = parts;
  const given = hooks.resolveOptimizer.call({ training, groups: planned.groups });
  const whole = given ?? ownOptimizer(training, registry.all("optimizers"), planned, backend);
  const trained = everTrained(planned.plan.phases);
  const parameters = planned.parameters.filter(({ name }) => trained.has(name));
  const { zeroStage } = training.optimizer;
  const isSharded = zeroStage > 0 && ensemble.size > 1;
  if (isSharded && zeroStage === 2 && hooks.gradients.taps.length > 0)
    throw gradientsShared(hooks.gradients.taps.map(({ name }) => name));
  const optimizer = isSharded ? new ShardedOptimizer(whole, ensemble, parameters) : whole;
  return given === undefined ? { optimizer } : { optimizer, optimizerPlugin: lastCalled(watch, "resolveOptimizer") };
}
