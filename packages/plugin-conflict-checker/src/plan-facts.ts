import type { RuleContext, Setting } from "@thaw/core";

/** State of one component over the whole run. */
export interface ComponentFacts {
  readonly name: string;
  /** True if one of its parameters trains in some phase, or an adapter is asked for over them. */
  readonly trains: boolean;
  /** True if all of its parameters train in every phase. */
  readonly trainsAll: boolean;
  /** Settings that decided it, the deciding one first. */
  readonly settings: readonly Setting[];
  /** First step in which something of it trains. */
  readonly fromStep?: number;
}

/** The decided components, from the plan's entries. Components that an error left undecided are absent. */
export function componentFacts({
  plan,
  requests,
}: Pick<RuleContext, "plan" | "requests">): ReadonlyMap<string, ComponentFacts> {
  const requested = new Set(requests.map(({ component }) => component));
  const facts = new Map<string, ComponentFacts>();
  for (const phase of plan.phases) {
    for (const { component, trainable, reason } of phase.entries) {
      const known = facts.get(component) ?? {
        name: component,
        trains: requested.has(component),
        trainsAll: true,
        settings: reason.settings,
      };
      facts.set(component, {
        ...known,
        trains: known.trains || trainable,
        trainsAll: known.trainsAll && trainable,
        fromStep: known.fromStep ?? (trainable ? phase.fromStep : undefined),
      });
    }
  }
  return facts;
}
