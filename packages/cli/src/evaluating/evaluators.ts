import type { Direction, Evaluator } from "@thaw/core";
import {
  answerEvaluator,
  answerMetrics,
  canCompareNeighbours,
  choiceEvaluator,
  choiceMetrics,
  choicesName,
  type AnswerEvaluation,
  type AnswerEvaluationOptions,
  type ChoiceEvaluation,
  type ChosenMetric,
} from "@thaw/plugin-captions";
import type { LoadedConfig } from "../config/load-config.js";
import type { CaptionRecord, CaptionResult, RunRecord } from "../record/record.js";
import type { Progress } from "../terminal/progress.js";
import type { Parts } from "../running/build-run.js";

/** What evaluators write to. */
export interface EvaluatorSinks {
  readonly record: RunRecord;
  readonly progress: Progress;
  readonly isStopping: () => boolean;
  /** Only so many samples of each set. */
  readonly limit?: number;
  /** Told of each answer or guess of a baseline, and of each set's evaluation when it is over. */
  readonly onProgress?: (set: string, now: AnswerProgress) => void;
  readonly onMeasured?: (set: string, evaluation: AnswerEvaluation) => void;
}

type AnswerProgress = Parameters<NonNullable<AnswerEvaluationOptions["onProgress"]>>[0];

/** Shows how far an evaluation of answers is, under this label. */
export function answersProgress(progress: Progress, label: string): NonNullable<AnswerEvaluationOptions["onProgress"]> {
  let stage: string | undefined;
  return (now) => {
    if (now.done === 0 || stage !== now.stage) progress.begin(now.stage === "answers" ? label : "baselines", now.total);
    stage = now.stage;
    progress.advance(now.done);
  };
}

/** A record of a set's answers, before they are measured. */
export function answersRecord(name: string, metrics: readonly ChosenMetric[]): CaptionRecord {
  const better = metrics.map((metric): readonly [string, Direction] => [metric.name, metric.better]);
  return { name, better: Object.fromEntries(better), baselines: {} };
}

/** A result as the record keeps it. */
export function answersResult(
  { scores, samples, unscored, predictions }: AnswerEvaluation,
  step: number,
): CaptionResult {
  return { step, scores, samples, unscored, predictions };
}

/** A result of choices as the record keeps it: nothing was written. */
export function choicesResult(evaluation: ChoiceEvaluation, step: number): CaptionResult {
  return { ...evaluation, step, unscored: 0, predictions: [] };
}

/** As what was before the first step, or what is now. */
function keepResult(record: CaptionRecord, result: CaptionResult): void {
  if (record.before === undefined && result.step === 0) record.before = result;
  else record.after = result;
}

/** One evaluator per evaluation set with metrics of choices: before, during and after training. */
export function choiceEvaluators(
  config: LoadedConfig,
  parts: Parts,
  { record, progress, isStopping }: EvaluatorSinks,
): readonly Evaluator[] {
  return Object.entries(parts.evaluation).flatMap(([set, source]): Evaluator[] => {
    const metrics = choiceMetrics(parts.metrics[set] ?? []);
    if (metrics.length === 0) return [];
    const own = answersRecord(choicesName(set), metrics);
    record.captions.push(own);
    return [
      choiceEvaluator({
        set,
        source,
        metrics,
        microBatchSize: config.data.evaluationBatchSize,
        isStopping,
        onProgress: ({ done, total }) => {
          record.isBarTaken = true;
          if (done === 0) progress.begin(`choices of ${set}`, total);
          progress.advance(done);
        },
        onMeasured: (evaluation, step) => {
          keepResult(own, choicesResult(evaluation, step));
        },
        onEnd: () => progress.end(),
      }),
    ];
  });
}

/** One evaluator per evaluation set with metrics of answers: before, during and after training, baselines once. */
export function answerEvaluators(
  config: LoadedConfig,
  parts: Parts,
  { record, progress, isStopping, limit, onProgress, onMeasured }: EvaluatorSinks,
): readonly Evaluator[] {
  const { maxNewTokens, evaluationBatchSize } = config.data;
  const hasBaselines = parts.train !== undefined && canCompareNeighbours(parts.train);
  return Object.entries(parts.evaluation).flatMap(([set, source]): Evaluator[] => {
    const metrics = answerMetrics(parts.metrics[set] ?? []);
    if (metrics.length === 0) return [];
    const captions = answersRecord(set, metrics);
    record.captions.push(captions);
    const shown = answersProgress(progress, `captions of ${set}`);
    return [
      answerEvaluator({
        set,
        source,
        metrics,
        ...(parts.train === undefined ? {} : { training: parts.train }),
        microBatchSize: evaluationBatchSize,
        maxNewTokens,
        isStopping,
        ...(limit === undefined ? {} : { limit }),
        wantsBaselines: () => hasBaselines && Object.keys(captions.baselines).length === 0,
        onProgress: (now) => {
          record.isBarTaken = true;
          shown(now);
          onProgress?.(set, now);
        },
        onMeasured: (evaluation, { step }) => {
          onMeasured?.(set, evaluation);
          if (Object.keys(evaluation.baselines).length > 0) captions.baselines = evaluation.baselines;
          keepResult(captions, answersResult(evaluation, step));
        },
        onEnd: () => progress.end(),
      }),
    ];
  });
}
