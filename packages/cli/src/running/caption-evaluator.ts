import type { AddedEvent, Evaluator, Session } from "@thaw/core";
import {
  captionEvaluation,
  thumbnail,
  tokenF1,
  type CaptionEvaluation,
  type ConceptFilter,
  type DataSource,
  type Sample,
} from "@thaw/data";
import type { Parts } from "./build-run.js";
import type { LoadedConfig } from "../config/load-config.js";
import type { Progress } from "../terminal/progress.js";
import type { CaptionRecord, CaptionResult, RunRecord } from "../record/record.js";
import { CAPTION_METRICS, captionsName } from "../record/caption-metrics.js";
import { pickAnswers } from "../render/captions.js";

/** How captions are measured. */
export interface CaptionMeasurement {
  readonly source: DataSource;
  readonly training?: DataSource;
  readonly concepts?: ConceptFilter;
  readonly limit?: number;
  readonly batchSize: number;
  readonly maxNewTokens: number;
  readonly baselines: boolean;
  readonly label: string;
  readonly progress: Progress;
  /** Asked before every batch. */
  readonly isStopping: () => boolean;
}

class Stopped extends Error {}

/** Answers and scores a data set with a session, moving the bar; undefined if it was told to stop meanwhile. */
export async function measureCaptions(
  session: Pick<Session, "generate">,
  measurement: CaptionMeasurement,
): Promise<CaptionEvaluation | undefined> {
  const { source, training, concepts, limit, batchSize, maxNewTokens, baselines, label, progress, isStopping } =
    measurement;
  let stage: string | undefined;
  try {
    return await captionEvaluation({
      source,
      baselines,
      microBatchSize: batchSize,
      maxNewTokens,
      ...(training === undefined ? {} : { training }),
      ...(concepts === undefined ? {} : { concepts }),
      ...(limit === undefined ? {} : { limit }),
      generate: (batch, options) => {
        if (isStopping()) throw new Stopped();
        return session.generate(batch, options);
      },
      onProgress: (now) => {
        if (isStopping()) throw new Stopped();
        if (stage !== now.stage) progress.begin(now.stage === "captions" ? label : "baselines", now.total);
        stage = now.stage;
        progress.advance(now.done);
      },
    });
  } catch (error) {
    if (error instanceof Stopped) return undefined;
    throw error;
  } finally {
    progress.end();
  }
}

/** A result as the record keeps it. */
export function captionResult(evaluation: CaptionEvaluation, step: number): CaptionResult {
  const answers = evaluation.predictions.map(({ index, id, reference, prediction }) => ({
    index,
    id,
    reference,
    answer: prediction,
    tokenF1: tokenF1(prediction, reference),
  }));
  return {
    step,
    exactMatch: evaluation.exactMatch,
    tokenF1: evaluation.tokenF1,
    samples: evaluation.samples,
    notScored: evaluation.unscored,
    answers,
  };
}

/** What an evaluation tells of itself beside its scores. */
interface ToldCaptions {
  readonly name: string;
  readonly step: number;
  readonly source: DataSource;
  readonly answers: CaptionResult["answers"];
  /** Those that were computed now. */
  readonly baselines: CaptionEvaluation["baselines"];
  readonly tell: (event: AddedEvent) => Promise<void>;
}

/** Samples of an evaluation that are told: so many of the worst, of the best, and spread over the set. */
const TOLD_EACH = 12;
const TOLD_PIXELS = 320;

/** Baselines and samples, into the stream of the run's events. */
async function tellCaptions({ name, step, source, answers, baselines, tell }: ToldCaptions): Promise<void> {
  const { majority, nearestNeighbour } = baselines;
  const told = [["majority", majority] as const, ["nearest neighbour", nearestNeighbour] as const];
  for (const [baseline, scores] of told)
    if (scores !== undefined) {
      const { tokenF1: f1, exactMatch } = scores;
      await tell({ event: "baseline", step, name, baseline, metrics: { tokenF1: f1, exactMatch } });
    }
  const ranked = answers.toSorted((left, right) => left.tokenF1 - right.tokenF1);
  const chosen = [...ranked.slice(0, TOLD_EACH), ...pickAnswers(answers, TOLD_EACH), ...ranked.slice(-TOLD_EACH)];
  for (const { index, id, reference, answer, tokenF1: f1 } of new Set(chosen)) {
    const sample = await source.samples.read(index);
    const image = sample.media.find(({ modality }) => modality === "image");
    const images =
      image === undefined ? [] : [{ type: "image/png" as const, bytes: await thumbnail(image.source, TOLD_PIXELS) }];
    const question = questionOf(sample);
    const texts = { ...(question === undefined ? {} : { question }), reference, answer };
    await tell({ event: "sample", step, name, index, id, texts, numbers: { tokenF1: f1 }, images });
  }
}

/** The last question of a sample, as text; undefined where there is none. */
function questionOf({ messages }: Pick<Sample, "messages">): string | undefined {
  const text = messages
    .findLast(({ role }) => role === "user")
    ?.content.flatMap((part) => (part.type === "text" ? [part.text] : []))
    .join("")
    .trim();
  return text === "" ? undefined : text;
}

/** What evaluators write to. */
export interface EvaluatorSinks {
  readonly record: RunRecord;
  readonly progress: Progress;
  readonly isStopping: () => boolean;
}

/**
 * Most bytes of decoded training pictures that a run holds for the nearest-neighbour baseline; `thaw evaluate` has no
 * such limit.
 */
const BASELINE_BYTES = 512e6;

/**
 * True where the training pictures, decoded, are few and small enough to look for neighbours among them during a run.
 */
export function canCompareNeighbours(train: Pick<DataSource, "sampleCount" | "processor">): boolean {
  const { image } = train.processor.media;
  if (image === undefined) return false;
  const { width, height } = image.rasterSize;
  return train.sampleCount * width * height * 3 * Float32Array.BYTES_PER_ELEMENT <= BASELINE_BYTES;
}

/** One evaluator per evaluation set: captions before, during and after, baselines once. */
export function captionEvaluators(
  config: LoadedConfig,
  parts: Parts,
  { record, progress, isStopping }: EvaluatorSinks,
): readonly Evaluator[] {
  const { maxNewTokens, evaluationBatchSize, captions: isMeasured } = config.data;
  if (!isMeasured) return [];
  const hasBaselines = parts.train !== undefined && canCompareNeighbours(parts.train);
  return Object.entries(parts.evaluation).map(([name, source]): Evaluator => {
    const captions: CaptionRecord = { name, baselines: {} };
    record.captions.push(captions);
    return {
      name: captionsName(name),
      better: CAPTION_METRICS,
      async evaluate(session, { step, record: tell }) {
        const isFirst = captions.before === undefined;
        record.isBarTaken = true;
        const evaluation = await measureCaptions(session, {
          source,
          ...(parts.train === undefined ? {} : { training: parts.train }),
          batchSize: evaluationBatchSize,
          maxNewTokens,
          baselines: isFirst && hasBaselines,
          label: `captions of ${name}`,
          progress,
          isStopping,
        });
        if (evaluation === undefined) return undefined;
        const result = captionResult(evaluation, step);
        if (isFirst) captions.baselines = evaluation.baselines;
        const baselines = isFirst ? evaluation.baselines : {};
        await tellCaptions({ name: captionsName(name), step, source, answers: result.answers, baselines, tell });
        if (isFirst && step === 0) captions.before = result;
        else captions.after = result;
        return {
          tokenF1: evaluation.tokenF1,
          exactMatch: evaluation.exactMatch,
          samples: evaluation.samples,
          unscored: evaluation.unscored,
        };
      },
    };
  });
}
