import type { Direction, Evaluator, Session, StepContext } from "@thaw/core";
import type { AnswerMetric } from "../choosing/chosen-metrics.js";
import { evaluateAnswers, type AnswerEvaluation, type AnswerEvaluationOptions } from "./answer-evaluation.js";
import { Stopped } from "./sharing.js";
import { tellAnswers } from "./tell-answers.js";

/** How a session's answers are measured. */
export interface AnswerMeasurement extends Omit<AnswerEvaluationOptions, "generate"> {
  /** Asked before every batch. */
  readonly isStopping: () => boolean;
}

/** Lets a session answer a data set and scores that; undefined if it was told to stop meanwhile. */
export async function measureAnswers(
  session: Pick<Session, "generate">,
  { isStopping, ...options }: AnswerMeasurement,
): Promise<AnswerEvaluation | undefined> {
  const goOn = (): void => {
    if (isStopping()) throw new Stopped();
  };
  try {
    return await evaluateAnswers({
      ...options,
      generate: (batch, more) => {
        goOn();
        return session.generate(batch, more);
      },
      onProgress: (progress) => {
        goOn();
        options.onProgress?.(progress);
      },
    });
  } catch (error) {
    if (error instanceof Stopped) return undefined;
    throw error;
  }
}

/** How the answers of one set are measured during a run. */
export interface AnswerEvaluatorOptions extends Omit<AnswerMeasurement, "baselines" | "concepts" | "ensemble"> {
  /** Of the evaluation set; results are called `captions/<set>`. */
  readonly set: string;
  /** Asked before each evaluation: whether baselines are computed in it. */
  readonly wantsBaselines: () => boolean;
  /** Told of each evaluation before its samples are told. */
  readonly onMeasured?: (evaluation: AnswerEvaluation, context: StepContext) => void;
  /** Called when an evaluation ends, however it does. */
  readonly onEnd?: () => void;
}

/** The name of the evaluation of a set's answers. */
export function answersName(set: string): string {
  return `captions/${set}`;
}

/** What such an evaluation measures, and which values are better. */
export function answersBetter(metrics: readonly AnswerMetric[]): Readonly<Record<string, Direction>> {
  const own = metrics.map(({ name, better }) => [name, better] as const);
  return { ...Object.fromEntries(own), samples: "higher", unscored: "lower" };
}

/**
 * Measures a set's answers before, during and after training, and tells samples of them. Processes that train together
 * answer a part each; rank 0 makes the baselines and tells.
 */
export function answerEvaluator(options: AnswerEvaluatorOptions): Evaluator {
  const { set, wantsBaselines, onMeasured, onEnd, ...measurement } = options;
  const name = answersName(set);
  return {
    name,
    better: answersBetter(measurement.metrics),
    async evaluate(session, context) {
      const { ensemble } = context;
      const baselines = ensemble.rank === 0 && wantsBaselines();
      const evaluation = await measureAnswers(session, { ...measurement, ensemble, baselines }).finally(() =>
        onEnd?.(),
      );
      if (evaluation === undefined) return undefined;
      onMeasured?.(evaluation, context);
      if (ensemble.rank === 0)
        await tellAnswers(evaluation, { name, step: context.step, ...measurement, tell: context.record });
      return { ...evaluation.scores, samples: evaluation.samples, unscored: evaluation.unscored };
    },
  };
}

/**
 * Most bytes of decoded training pictures that a run holds for the nearest-neighbour baseline; `thaw evaluate` has no
 * such limit.
 */
const BASELINE_BYTES = 512e6;

/**
 * True where the training pictures, decoded, are few and small enough to look for neighbours among them during a run.
 */
export function canCompareNeighbours({
  sampleCount,
  processor,
}: Pick<AnswerEvaluationOptions["source"], "sampleCount" | "processor">): boolean {
  const { image } = processor.media;
  if (image === undefined) return false;
  const { width, height } = image.rasterSize;
  return sampleCount * width * height * 3 * Float32Array.BYTES_PER_ELEMENT <= BASELINE_BYTES;
}
