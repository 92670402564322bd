import { isPackable } from "@thaw/autograd";
import type { PlannedContext } from "../api/contexts.js";
import { everTrained } from "../plan/plan.js";

/**
 * Parameters that may be kept in bfloat16: matrices with an even number of columns that no phase trains, so that what a
 * phase trains has never been rounded and what it trained never is.
 */
export function packableNames({ plan, parameters }: Pick<PlannedContext, "plan" | "parameters">): ReadonlySet<string> {
  const trained = everTrained(plan.phases);
  return new Set(
    parameters.filter(({ name, shape }) => !trained.has(name) && isPackable(shape)).map(({ name }) => name),
  );
}
