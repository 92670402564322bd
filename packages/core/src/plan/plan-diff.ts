import { append, type Plan, type PlanEntry } from "@thaw/contracts";
import { textTable } from "../text.js";
import { phaseAt } from "./plan.js";

/** One parameter that two plans treat differently from a step on. */
export interface PlanDifference {
  readonly fromStep: number;
  readonly name: string;
  readonly component: string;
  /** `absent`, or state and group. */
  readonly before: string;
  readonly after: string;
}

/**
 * What changes from one plan to another, at the phase starts of both, in order of name. Empty where the hashes are
 * equal.
 */
export function diffPlans(before: Plan, after: Plan): readonly PlanDifference[] {
  const starts = [...new Set([...before.phases, ...after.phases].map(({ fromStep }) => fromStep))].toSorted(
    (left, right) => left - right,
  );
  return starts.flatMap((fromStep) => {
    const left = entryTable(phaseAt(before, fromStep).entries);
    const right = entryTable(phaseAt(after, fromStep).entries);
    const names = [...new Set([...left.keys(), ...right.keys()])].toSorted();
    return names.flatMap((name): PlanDifference[] => {
      const [was, is] = [left.get(name), right.get(name)];
      if (stateText(was) === stateText(is)) return [];
      return [{ fromStep, name, component: (is ?? was)!.component, before: stateText(was), after: stateText(is) }];
    });
  });
}

/** The differences as a table for people: a row for all parameters of a component that change alike. */
export function planDiffTable(differences: readonly PlanDifference[]): string {
  const rows = new Map<string, PlanDifference[]>();
  for (const difference of differences) {
    const key = JSON.stringify([difference.fromStep, difference.component, difference.before, difference.after]);
    append(rows, key, difference);
  }
  const cells = [...rows.values()].map((group) => {
    const { fromStep, component, before, after, name } = group[0]!;
    return [
      String(fromStep),
      component,
      group.length === 1 ? name : `${group.length} parameters, ${name} first`,
      before,
      after,
    ];
  });
  return textTable([["from step", "component", "parameters", "before", "now"], ...cells]);
}

function entryTable(entries: readonly PlanEntry[]): ReadonlyMap<string, PlanEntry> {
  return new Map(entries.map((entry) => [entry.name, entry]));
}

function stateText(entry: PlanEntry | undefined): string {
  if (entry === undefined) return "absent";
  if (!entry.trainable) return "frozen";
  return entry.group === entry.component ? "train" : `train (${entry.group})`;
}
