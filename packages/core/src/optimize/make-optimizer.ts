import type { Backend, PlannedContext } from "../api/contexts.js";
import type { Optimizer } from "../api/optimizer.js";
import { lastCalled } from "../run/tap-facts.js";
import type { TrainerParts } from "../run/trainer-parts.js";
import { AdamW } from "./adamw.js";

/** A plugin's optimizer with the plugin's name, or core's own. */
export function makeOptimizer(
  { hooks, training, watch }: TrainerParts,
  { groups }: PlannedContext,
  { joinBytes }: Backend,
): { readonly optimizer: Optimizer; readonly optimizerPlugin?: string } {
  const optimizer = hooks.resolveOptimizer.call({ training, groups });
  if (optimizer !== undefined) return { optimizer, optimizerPlugin: lastCalled(watch, "resolveOptimizer") };
  return { optimizer: new AdamW(training.optimizer, { joinBytes }) };
}
