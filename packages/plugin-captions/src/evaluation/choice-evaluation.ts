import type { Direction, Evaluator, JudgedChoice, ScoredChoices, Session } from "@thaw/core";
import type { DataSource } from "@thaw/data";
import type { ChoiceMetric } from "../choosing/chosen-metrics.js";
import { noChoices } from "../errors.js";
import type { Scores } from "./answer-evaluation.js";
import { ALONE, gatherShares, shareOf, Stopped, type Sharers } from "./sharing.js";

/** How the choices of a set are judged. */
export interface ChoiceMeasurement {
  readonly source: DataSource;
  /** Where there are none the set is not read. */
  readonly metrics: readonly ChoiceMetric[];
  /** Rows of a pass; each choice is one. */
  readonly microBatchSize: number;
  /** Only the first so many samples. */
  readonly limit?: number;
  /** Who judges together: each sample is judged once in all. Default: this process alone. */
  readonly ensemble?: Sharers;
  /** Asked before every batch. */
  readonly isStopping: () => boolean;
  /**
   * Called before the first and after every batch with the samples that are judged; of several processes each counts on
   * from its own part.
   */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

/** What the choices of a set say of a model. */
export interface ChoiceEvaluation {
  readonly scores: Scores;
  readonly samples: number;
}

/** A choice of the sample with that number. */
interface Judged {
  readonly index: number;
  readonly choice: JudgedChoice;
}

/**
 * How likely a session finds each choice of each sample, and what metrics make of that; undefined if it was told to
 * stop meanwhile. @throws THAW_CAPTIONS_NO_CHOICES for a sample without choices
 */
export async function measureChoices(
  session: Pick<Session, "losses">,
  { source, metrics, microBatchSize, limit, isStopping, onProgress, ensemble = ALONE }: ChoiceMeasurement,
): Promise<ChoiceEvaluation | undefined> {
  const total = Math.min(limit ?? Number.POSITIVE_INFINITY, source.samples.count);
  if (metrics.length === 0) return { scores: {}, samples: 0 };
  const judged: { readonly choices: JudgedChoice[]; readonly answers: readonly string[]; readonly right: number }[] =
    [];
  for (let index = 0; index < total; index += 1) {
    const { choices, origin } = await source.samples.read(index);
    if (choices === undefined) throw noChoices(metrics[0]!.name, origin);
    judged.push({ choices: [], answers: choices.answers, right: choices.right });
  }
  const { mine } = shareOf([...judged.keys()], microBatchSize, ensemble);
  const judge = async (): Promise<readonly Judged[]> => {
    const likely: Judged[] = [];
    onProgress?.({ done: 0, total });
    for await (const batch of source.choices({ microBatchSize, indices: mine })) {
      if (isStopping()) throw new Stopped();
      const rows = await session.losses(batch);
      for (const [row, index] of batch.indices.entries()) {
        const { lossSum, supervisedTokenCount: tokenCount } = rows[row]!;
        const text = judged[index]!.answers[batch.choices[row]!]!;
        likely.push({ index, choice: { text, logLikelihood: -lossSum, tokenCount } });
      }
      const done = (mine.indexOf(batch.indices.at(-1)!) + 1) * ensemble.size;
      onProgress?.({ done: Math.min(total, done), total });
    }
    return likely;
  };
  const shares = await gatherShares(judge, ensemble).catch((error: unknown) => {
    if (error instanceof Stopped) return undefined;
    throw error;
  });
  if (shares === undefined) return undefined;
  for (const { index, choice } of shares) judged[index]!.choices.push(choice);
  const all: readonly ScoredChoices[] = judged.map(({ choices, right }) => ({ choices, right }));
  const scores = metrics.map(({ name, metric }) => [name, metric.score(all).value] as const);
  return { scores: Object.fromEntries(scores), samples: total };
}

/** How the choices of one set are judged during a run. */
export interface ChoiceEvaluatorOptions extends Omit<ChoiceMeasurement, "limit" | "ensemble"> {
  /** Of the evaluation set; results are called `choices/<set>`. */
  readonly set: string;
  readonly onMeasured?: (evaluation: ChoiceEvaluation, step: number) => void;
  /** Called when an evaluation ends, however it does. */
  readonly onEnd?: () => void;
}

/** The name of the evaluation of a set's choices. */
export function choicesName(set: string): string {
  return `choices/${set}`;
}

/** What such an evaluation measures, and which values are better. */
export function choicesBetter(metrics: readonly ChoiceMetric[]): Readonly<Record<string, Direction>> {
  return { ...Object.fromEntries(metrics.map((metric) => [metric.name, metric.better] as const)), samples: "higher" };
}

/** Judges a set's choices before, during and after training; processes that train together judge a part each. */
export function choiceEvaluator({ set, onMeasured, onEnd, ...measurement }: ChoiceEvaluatorOptions): Evaluator {
  return {
    name: choicesName(set),
    better: choicesBetter(measurement.metrics),
    async evaluate(session, { step, ensemble }) {
      const evaluation = await measureChoices(session, { ...measurement, ensemble }).finally(() => onEnd?.());
      if (evaluation === undefined) return undefined;
      onMeasured?.(evaluation, step);
      return { ...evaluation.scores, samples: evaluation.samples };
    },
  };
}
