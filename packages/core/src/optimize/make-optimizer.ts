import type { Backend, PlannedContext } from "../api/contexts.js";
import type { Optimizer } from "../api/optimizer.js";
import { lastCalled } from "../run/tap-facts.js";
import type { TrainerParts } from "../run/trainer-parts.js";
import { ownOptimizer } from "./optimizer-plan.js";

/** A plugin's optimizer with the plugin's name, or the one that the options name. */
export function makeOptimizer(
  { hooks, training, watch, registry }: TrainerParts,
  planned: PlannedContext,
  backend: Backend,
): { readonly optimizer: Optimizer; readonly optimizerPlugin?: string } {
  const optimizer = hooks.resolveOptimizer.call({ training, groups: planned.groups });
  if (optimizer !== undefined) return { optimizer, optimizerPlugin: lastCalled(watch, "resolveOptimizer") };
  return { optimizer: ownOptimizer(training, registry.all("optimizers"), planned, backend) };
}
