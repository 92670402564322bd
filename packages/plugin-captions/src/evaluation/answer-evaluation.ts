import { type ScoredAnswer, type Session, ThawError } from "@thaw/core";
import type { DataSource, PromptBatch } from "@thaw/data";
import type { AnswerMetric } from "../choosing/chosen-metrics.js";
import { conceptsEmpty, inSample } from "../errors.js";
import { baselineAnswers } from "./baselines.js";
import { ALONE, gatherShares, shareOf, type Sharers } from "./sharing.js";
import { selectConcepts, type ConceptFilter } from "./concept-filter.js";

/** How the answers of a data set are evaluated. */
export interface AnswerEvaluationOptions {
  readonly source: DataSource;
  /** What is measured; `chosenMetrics` makes them of what a config says. */
  readonly metrics: readonly AnswerMetric[];
  /** What the model was trained on: gives the known concepts and both baselines. Without it there are no baselines. */
  readonly training?: DataSource;
  /** Default `known`. */
  readonly concepts?: ConceptFilter;
  /** New ids per row, without the end token: `session.generate`. */
  readonly generate: (
    batch: PromptBatch,
    options: { readonly maxNewTokens: number },
  ) => ReturnType<Session["generate"]>;
  /** Default 32. */
  readonly microBatchSize?: number;
  /** Default 24. */
  readonly maxNewTokens?: number;
  /** Only the first so many of the chosen samples. */
  readonly limit?: number;
  /** Who answers together: each sample is answered once in all. Default: this process alone. */
  readonly ensemble?: Sharers;
  /** Default: true if `training` is given. */
  readonly baselines?: boolean;
  /** Called before the first and after every micro-batch, and while the baselines are computed. */
  readonly onProgress?: (progress: {
    readonly done: number;
    readonly total: number;
    readonly stage: "answers" | "baselines";
  }) => void;
}

/** A value for each metric, by its name. */
export type Scores = Readonly<Record<string, number>>;

/** An answer that was written. */
export interface AnswerPrediction {
  /** Position in `source.samples`. */
  readonly index: number;
  readonly id: string;
  readonly prediction: string;
  readonly reference: string;
  /** Of the metrics that are made of samples' own scores. */
  readonly scores: Scores;
}

/** What the answers of a set are worth. */
export interface AnswerEvaluation {
  readonly scores: Scores;
  /** Scored samples. */
  readonly samples: number;
  /** Samples of concepts that the training set does not have at all: counted, not scored. */
  readonly unscored: number;
  readonly baselines: { readonly majority?: Scores; readonly nearestNeighbour?: Scores };
  readonly predictions: readonly AnswerPrediction[];
}

/** A sample as its answer is told and scored. */
interface Asked extends Pick<AnswerPrediction, "index" | "id" | "reference"> {
  readonly wanted: Omit<ScoredAnswer, "answer">;
}

/** Each metric of a set of answers, and of those that are made of samples' own scores these, sample by sample. */
function scoresOf(
  metrics: readonly AnswerMetric[],
  answers: readonly ScoredAnswer[],
): { readonly scores: Scores; readonly each: readonly Scores[] } {
  const all = metrics.map(({ name, metric }) => ({ name, ...metric.score(answers) }));
  return {
    scores: Object.fromEntries(all.map(({ name, value }) => [name, value])),
    each: answers.map((_answer, index) =>
      Object.fromEntries(all.flatMap(({ name, each }) => (each === undefined ? [] : [[name, each[index]!]]))),
    ),
  };
}

/**
 * Lets the model answer every chosen sample and scores that, beside both baselines.
 * @throws THAW_CAPTIONS_CONCEPTS_EMPTY when the filter leaves nothing; whatever `generate` and the metrics throw
 */
export async function evaluateAnswers(options: AnswerEvaluationOptions): Promise<AnswerEvaluation> {
  const { source, metrics, training, concepts = "known" } = options;
  const knownConcepts = (await training?.knownConcepts()) ?? new Set<string>();
  const { indices: chosen, unknown } = await selectConcepts(source.samples, concepts, knownConcepts);
  const indices = options.limit === undefined ? chosen : chosen.slice(0, options.limit);
  if (indices.length === 0) throw conceptsEmpty(source.name, concepts);
  const asked = await readAsked(indices, options);
  const answers = await answersTo(indices, options);
  const onProgress = (done: number, total: number): void => options.onProgress?.({ done, total, stage: "baselines" });
  const guessed: Readonly<Record<string, readonly string[]>> =
    training === undefined || options.baselines === false
      ? {}
      : { ...(await baselineAnswers({ source, training, indices, onProgress })) };
  const baselines = Object.entries(guessed).map(([name, guesses]) => {
    return [name, scoresOf(metrics, answeredBy(asked, guesses)).scores] as const;
  });
  const { scores, each } = scoresOf(metrics, answeredBy(asked, answers));
  return {
    scores,
    samples: indices.length,
    unscored: unknown,
    baselines: Object.fromEntries(baselines),
    predictions: asked.map(({ wanted: _wanted, ...own }, position) => ({
      ...own,
      prediction: answers[position]!,
      scores: each[position]!,
    })),
  };
}

function answeredBy(asked: readonly Asked[], answers: readonly string[]): readonly ScoredAnswer[] {
  return answers.map((answer, position) => ({ answer, ...asked[position]!.wanted }));
}

/**
 * Reads the samples, and scores each one's own right answer: a metric that a sample has too little for says so before
 * the model writes the first answer. @throws whatever the metrics throw, with the sample's place
 */
async function readAsked(
  indices: readonly number[],
  { source, metrics }: Pick<AnswerEvaluationOptions, "source" | "metrics">,
): Promise<readonly Asked[]> {
  const asked: Asked[] = [];
  for (const index of indices) {
    const { id, reference, references = [reference], choices, origin } = await source.samples.read(index);
    const wanted = { references, ...(choices === undefined ? {} : { choices }) };
    try {
      for (const { metric } of metrics) metric.score([{ answer: reference, ...wanted }]);
    } catch (cause) {
      throw cause instanceof ThawError ? inSample(cause, origin) : cause;
    }
    asked.push({ index, id, reference, wanted });
  }
  return asked;
}

/** The model's answers in the order of `indices`, made by all who share them. */
async function answersTo(
  indices: readonly number[],
  { source, generate, microBatchSize = 32, maxNewTokens = 24, onProgress, ensemble = ALONE }: AnswerEvaluationOptions,
): Promise<readonly string[]> {
  const { batchSize, mine } = shareOf(indices, microBatchSize, ensemble);
  const tell = (done: number): void =>
    onProgress?.({ done: Math.min(indices.length, done * ensemble.size), total: indices.length, stage: "answers" });
  const answer = async (): Promise<readonly (readonly [index: number, answer: string])[]> => {
    const answered: (readonly [number, string])[] = [];
    tell(0);
    for await (const batch of source.prompts({ microBatchSize: batchSize, indices: mine })) {
      const rows = await generate(batch, { maxNewTokens });
      for (const [row, index] of batch.indices.entries())
        answered.push([index, source.processor.tokenizer.decode(rows[row] ?? [])]);
      tell(answered.length);
    }
    return answered;
  };
  const byIndex = new Map(await gatherShares(answer, ensemble));
  return indices.map((index) => byIndex.get(index)!);
}
