import { toCamelCase, nameList, type Finding, type Setting } from "@thaw/contracts";
import type { ResolvedTrainingOptions } from "../api/options.js";
import type { TrainerOptions } from "../api/trainer-options.js";
import { bestOf, measuredBy, type Measured, type WatchedOptions } from "../evaluation/directions.js";

interface Watcher {
  readonly option: "stopWhen" | "keep.best";
  readonly isGiven: (path: string) => boolean;
  readonly watched: WatchedOptions;
  /** Whether it asks which of two values is better. */
  readonly compares: boolean;
  /** What comes of it otherwise. */
  readonly otherwise: string;
}

/**
 * Under the rule `stop-rule-unmeasured`: `training.stopWhen` and `training.keep.best` where nothing measures between
 * steps what they look at.
 */
export function checkStopRule(
  options: TrainerOptions,
  training: ResolvedTrainingOptions,
  settings: readonly Setting[],
): readonly Finding[] {
  return watchersOf(training).flatMap((watcher) => {
    const problem = unevaluated(options, training, watcher) ?? unmeasured(measuredBy(options), watcher);
    const given = settings.filter(({ path }) => watcher.isGiven(path));
    return problem === undefined
      ? []
      : [{ rule: "stop-rule-unmeasured", severity: "error", settings: given, ...problem } satisfies Finding];
  });
}

function watchersOf(training: ResolvedTrainingOptions): readonly Watcher[] {
  const { stopWhen } = training;
  const best = bestOf(training);
  const watchers: Watcher[] = [];
  if (stopWhen !== undefined)
    watchers.push({
      option: "stopWhen",
      isGiven: (path) => /^training\.stop_?[wW]hen\./.test(path),
      watched: stopWhen,
      compares: stopWhen.patience !== undefined,
      otherwise: "it would never end the run",
    });
  if (best !== undefined)
    watchers.push({
      option: "keep.best",
      isGiven: (path) => path.startsWith("training.keep.best"),
      watched: best,
      compares: true,
      otherwise: "no checkpoint would be the best",
    });
  return watchers;
}

type Problem = Pick<Finding, "message" | "fix">;

/** Nothing is evaluated between steps. */
function unevaluated(
  { data, evaluators = [] }: TrainerOptions,
  training: ResolvedTrainingOptions,
  { option, otherwise }: Watcher,
): Problem | undefined {
  const isEvaluated =
    training.evaluateEverySteps !== undefined || evaluators.some(({ everySteps }) => everySteps !== undefined);
  const hasEvaluations = evaluators.length > 0 || Object.keys(data?.evaluation ?? {}).length > 0;
  if (isEvaluated && hasEvaluations) return undefined;
  return {
    message:
      `training.${option} looks at evaluations between steps, and ` +
      `${hasEvaluations ? "there is none between steps" : "nothing is evaluated"}: ${otherwise}.`,
    fix: hasEvaluations
      ? "Set training.evaluate_every_steps."
      : "Name evaluation data (data.evaluation), and set training.evaluate_every_steps.",
  };
}

/** No evaluation measures the metric, or it does not say which of its values are better. */
function unmeasured(measured: Measured, { option, watched, compares, otherwise }: Watcher): Problem | undefined {
  const metric = toCamelCase(watched.metric);
  const { evaluation } = watched;
  const looked = [...measured].filter(([name]) => evaluation === undefined || name === evaluation);
  // An evaluation that is not there is named when the run begins, with those that are.
  if (looked.length === 0 || looked.some(([, metrics]) => metrics?.[metric] !== undefined)) return undefined;
  const silent = looked.find(([, metrics]) => metrics === undefined)?.[0];
  if (silent !== undefined && !compares) return undefined;
  if (silent !== undefined)
    return {
      message: `training.${option} compares values of ${metric}, and ${silent} does not say which of them are better.`,
      fix: `Let the evaluator ${silent} say so (better: { ${metric}: "higher" }).`,
    };
  const known = looked.map(([name, metrics]) => `${name} (${nameList(Object.keys(metrics ?? {}), 12)})`);
  return {
    message: `training.${option} looks at ${metric}, which nothing measures: ${otherwise}.`,
    fix: `Take one that is measured: ${nameList(known, 6)}.`,
  };
}
