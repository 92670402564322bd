import { isPackable } from "@thaw/autograd";
import type { PlannedContext } from "../api/contexts.js";

/**
 * Parameters that may be kept in bfloat16: matrices with an even number of columns that no phase trains, so that what a
 * phase trains has never been rounded and what it trained never is.
 */
export function packableNames({ plan, parameters }: Pick<PlannedContext, "plan" | "parameters">): ReadonlySet<string> {
  const trained = new Set(
    plan.phases.flatMap(({ entries }) => entries.filter(({ trainable }) => trainable).map(({ name }) => name)),
  );
  return new Set(
    parameters.filter(({ name, shape }) => !trained.has(name) && isPackable(shape)).map(({ name }) => name),
  );
}
