import { isSegmentPrefix } from "@thaw/contracts";
import type { PlannedContext } from "../api/contexts.js";
import { everTrained } from "../plan/plan.js";

/**
 * Parameters that nobody needs as long as a segment's output is known: those that it reads and no other segment does.
 * None if something of it trains in any phase. Tied names count as one.
 */
export function releasableParameters(
  { model, plan, parameters }: Pick<PlannedContext, "model" | "plan" | "parameters">,
  segment: string,
): readonly string[] {
  const namesOf = canonicalNames(parameters);
  const own = namesOf(model.segments.find(({ name }) => name === segment)?.parameters ?? []);
  const trained = everTrained(plan.phases);
  if ([...own].some((name) => trained.has(name))) return [];
  const others = namesOf(
    model.segments.filter(({ name }) => !isSegmentPrefix(segment, name)).flatMap((other) => other.parameters),
  );
  return [...own].filter((name) => !others.has(name));
}

/**
 * Parameters that the model never uses and no phase trains: nothing of a run needs their values, so that they need no
 * memory.
 */
export function unusedParameters({
  model,
  plan,
  parameters,
}: Pick<PlannedContext, "model" | "plan" | "parameters">): ReadonlySet<string> {
  const namesOf = canonicalNames(parameters);
  const trained = everTrained(plan.phases);
  const used = namesOf(model.segments.flatMap((segment) => segment.parameters));
  return new Set([...namesOf(model.deadParameters)].filter((name) => !trained.has(name) && !used.has(name)));
}

function canonicalNames(parameters: PlannedContext["parameters"]): (names: readonly string[]) => ReadonlySet<string> {
  const canonical = new Map(
    parameters.flatMap(({ name, tiedNames = [] }) => tiedNames.map((alias) => [alias, name] as const)),
  );
  return (names) => new Set(names.map((name) => canonical.get(name) ?? name));
}
