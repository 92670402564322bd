import type { Evaluator, Session } from "@thaw/core";
import {
  captionEvaluation,
  thumbnail,
  tokenF1,
  type CaptionEvaluation,
  type ConceptFilter,
  type DataSource,
} from "@thaw/data";
import type { Parts } from "./build-run.js";
import type { LoadedConfig } from "../config/load-config.js";
import type { Progress } from "../terminal/progress.js";
import type { CaptionRecord, CaptionResult, RunRecord } from "../record/record.js";
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

/** `data:` URIs of the pictures that a report shows. */
export async function picturesOf(
  source: DataSource,
  result: CaptionResult,
  count = 24,
): Promise<Record<number, string>> {
  const pictures: Record<number, string> = {};
  for (const { index } of pickAnswers(result.answers, count)) {
    const image = (await source.samples.read(index)).media.find(({ modality }) => modality === "image");
    if (image !== undefined)
      pictures[index] = `data:image/png;base64,${Buffer.from(await thumbnail(image.source, 96)).toString("base64")}`;
  }
  return pictures;
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
    const captions: CaptionRecord = { name, baselines: {}, pictures: {} };
    record.captions.push(captions);
    return {
      name: `captions/${name}`,
      async evaluate(session, { step }) {
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
        if (isFirst) {
          captions.baselines = evaluation.baselines;
          captions.pictures = await picturesOf(source, result);
        }
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
