import type { Finding, Setting } from "@thaw/contracts";
import type { ResolvedTrainingOptions } from "../api/options.js";
import type { TrainerOptions } from "../api/trainer-options.js";

/**
 * Under the rule `stop-rule-unmeasured`: `training.stopWhen` where nothing is evaluated between steps, so that it would
 * never end the run.
 */
export function checkStopRule(
  { data, evaluators = [] }: TrainerOptions,
  training: ResolvedTrainingOptions,
  settings: readonly Setting[],
): readonly Finding[] {
  if (training.stopWhen === undefined) return [];
  const given = settings.filter(({ path }) => /^training\.stop_?[wW]hen\./.test(path));
  const isEvaluated =
    training.evaluateEverySteps !== undefined || evaluators.some(({ everySteps }) => everySteps !== undefined);
  const hasEvaluations = evaluators.length > 0 || Object.keys(data?.evaluation ?? {}).length > 0;
  if (isEvaluated && hasEvaluations) return [];
  return [
    {
      rule: "stop-rule-unmeasured",
      severity: "error",
      settings: given,
      message:
        "training.stopWhen looks at evaluations between steps, and " +
        `${hasEvaluations ? "there is none between steps" : "nothing is evaluated"}: it would never end the run.`,
      fix: hasEvaluations
        ? "Set training.evaluate_every_steps."
        : "Name evaluation data (data.evaluation), and set training.evaluate_every_steps.",
    },
  ];
}
