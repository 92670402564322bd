import type { PlannedContext } from "../hooks.js";

/**
 * Parameters that nobody needs as long as a segment's output is known: those that it reads and no other segment does, and those of its components that the model never
 * uses. None if something of it trains in any phase. Tied names count as one.
 */
export function releasableParameters({ model, plan, owners, parameters }: Pick<PlannedContext, "model" | "plan" | "owners" | "parameters">, segment: string): readonly string[] {
  const canonical = new Map(parameters.flatMap(({ name, tiedNames = [] }) => tiedNames.map((alias) => [alias, name] as const)));
  const namesOf = (names: readonly string[]): ReadonlySet<string> => new Set(names.map((name) => canonical.get(name) ?? name));
  const own = namesOf(model.segments.find(({ name }) => name === segment)?.parameters ?? []);
  const trained = new Set(plan.phases.flatMap(({ entries }) => entries.filter(({ trainable }) => trainable).map(({ name }) => name)));
  if ([...own].some((name) => trained.has(name))) return [];
  const components = new Set([...own].map((name) => owners.get(name)));
  const dead = [...namesOf(model.deadParameters)].filter((name) => components.has(owners.get(name)));
  const isOutside = (name: string): boolean => name !== segment && !name.startsWith(`${segment}.`);
  const others = namesOf(model.segments.filter(({ name }) => isOutside(name)).flatMap((other) => other.parameters));
  return [...new Set([...own, ...dead])].filter((name) => !others.has(name) && !trained.has(name));
}
