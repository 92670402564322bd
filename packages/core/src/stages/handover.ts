import { nameList, type Finding } from "@thaw/contracts";
import type { PlannedContext } from "../api/contexts.js";
import { everTrained } from "../plan/plan.js";

/** A stage whose plan is known. */
export interface PlannedStage {
  readonly name: string;
  readonly planned: PlannedContext;
}

/** A stage's finding as one of the whole run. */
export function stageFinding(stage: string, finding: Finding): Finding {
  return { ...finding, message: `Stage ${stage}: ${finding.message}` };
}

/**
 * Under the rule `stage-loses-parameters`: what a stage trains and a later one does not have, adapters for example. The
 * later one would go on as if it had not been trained.
 */
export function handoverFindings(stages: readonly PlannedStage[]): readonly Finding[] {
  return stages.flatMap(({ name: later, planned }, index): readonly Finding[] => {
    const known = new Set(planned.parameters.map(({ name }) => name));
    const before = stages.slice(0, index).findLast((stage) => lost(stage, known).length > 0);
    if (before === undefined) return [];
    const names = lost(before, known);
    const entry = before.planned.plan.phases
      .flatMap(({ entries }) => entries)
      .find(({ name, trainable }) => trainable && names.includes(name))!;
    return [
      {
        rule: "stage-loses-parameters",
        severity: "error",
        message:
          `Stage ${later}: it has no place for ` +
          `${names.length === 1 ? "a parameter" : `${names.length} parameters`} that stage ${before.name} trains: ` +
          `${nameList(names)}.`,
        fix:
          `Ask for the same additions to ${entry.component} in ${later} as in ${before.name}, or train ` +
          `${entry.component} itself in ${before.name}.`,
        settings: entry.reason.settings.filter(({ origin }) => origin !== "default"),
      },
    ];
  });
}

function lost({ planned }: PlannedStage, known: ReadonlySet<string>): readonly string[] {
  return [...everTrained(planned.plan.phases)].filter((name) => !known.has(name));
}
