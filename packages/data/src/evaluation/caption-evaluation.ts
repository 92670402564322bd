import type { Sample, SampleSet } from "@thaw/contracts";
import { setImmediate } from "node:timers/promises";
import { type CaptionScores, majorityCaption, scoreCaptions } from "./caption-metrics.js";
import { isUnseenConcept } from "../samples/concepts.js";
import type { DataSource, PromptBatch } from "../batches/data-source.js";
import { conceptsEmpty } from "../errors/samples.js";
import { nearestPicture } from "./nearest-pixels.js";

/**
 * Which samples are scored: `known` those whose concept the training set has at all (every sample where that is
 * unknown), `seen` and `unseen` the trained and the held-out part of these, `all` every sample.
 */
export type ConceptFilter = "known" | "seen" | "unseen" | "all";

/** How to evaluate captions. */
export interface CaptionEvaluationOptions {
  readonly source: DataSource;
  /** What the model was trained on: gives the known concepts and both baselines. Without it there are no baselines. */
  readonly training?: DataSource;
  /** Default `known`. */
  readonly concepts?: ConceptFilter;
  /** New ids per row, without the end token: `session.generate`. */
  readonly generate: (
    batch: PromptBatch,
    options: { readonly maxNewTokens: number },
  ) => Promise<readonly (readonly number[])[]>;
  /** Default 32. */
  readonly microBatchSize?: number;
  /** Default 24. */
  readonly maxNewTokens?: number;
  /** Only the first so many of the chosen samples. */
  readonly limit?: number;
  /** Default: true if `training` is given. */
  readonly baselines?: boolean;
  /** Called before the first and after every micro-batch, and while the baselines are computed. */
  readonly onProgress?: (progress: {
    readonly done: number;
    readonly total: number;
    readonly stage: "captions" | "baselines";
  }) => void;
}

/** A caption that was generated. */
export interface CaptionPrediction {
  /** Position in `source.samples`. */
  readonly index: number;
  readonly id: string;
  readonly prediction: string;
  readonly reference: string;
}

/** What `thaw evaluate --json` prints, and the captions. */
export interface CaptionEvaluation extends CaptionScores {
  /** Scored samples. */
  readonly samples: number;
  /** Samples of concepts that the training set does not have at all: counted, not scored. */
  readonly unscored: number;
  readonly baselines: { readonly majority?: CaptionScores; readonly nearestNeighbour?: CaptionScores };
  readonly predictions: readonly CaptionPrediction[];
}

/** Samples to score, as numbers, and how many have a concept that the training set lacks. */
export async function selectConcepts(
  samples: SampleSet,
  filter: ConceptFilter,
  knownConcepts: ReadonlySet<string>,
): Promise<{ readonly indices: number[]; readonly unknown: number }> {
  const isKnown = ({ concept }: Sample): boolean =>
    concept === undefined || knownConcepts.size === 0 || knownConcepts.has(concept);
  const matches = (sample: Sample): boolean => {
    if (filter === "all") return true;
    if (!isKnown(sample)) return false;
    return (
      filter === "known" || (sample.concept !== undefined && isUnseenConcept(sample.concept) === (filter === "unseen"))
    );
  };
  const indices: number[] = [];
  let unknown = 0;
  for (let index = 0; index < samples.count; index += 1) {
    const sample = await samples.read(index);
    if (matches(sample)) indices.push(index);
    if (filter !== "all" && !isKnown(sample)) unknown += 1;
  }
  return { indices, unknown };
}

/** The parts of the sources that baselines read. */
export interface BaselineSources {
  readonly source: Pick<DataSource, "samples" | "pixels">;
  readonly training: Pick<DataSource, "samples" | "pixels">;
  readonly indices: readonly number[];
  readonly onProgress?: (done: number, total: number) => void;
}

/** How many pictures are processed at once. */
const CONCURRENT_PICTURES = 8;

async function pixelsOf(
  source: Pick<DataSource, "pixels">,
  indices: readonly number[],
  each: () => void,
): Promise<{ readonly values: Float32Array[]; readonly shape: readonly number[] }> {
  const values: Float32Array[] = [];
  let shape: readonly number[] = [];
  for (let start = 0; start < indices.length; start += CONCURRENT_PICTURES) {
    for (const picture of await Promise.all(
      indices.slice(start, start + CONCURRENT_PICTURES).map((index) => source.pixels(index)),
    )) {
      values.push(picture.values);
      shape = picture.shape;
      each();
    }
  }
  return { values, shape };
}

type Search = (picture: Float32Array) => number;

/** Searches among training pictures, so that several evaluations of a run decode them once. */
const searches = new WeakMap<object, Promise<Search>>();

async function searchAmong(
  training: Pick<DataSource, "pixels">,
  indices: readonly number[],
  each: () => void,
): Promise<Search> {
  const known = searches.get(training);
  if (known !== undefined) {
    indices.forEach(each);
    return known;
  }
  const made = pixelsOf(training, indices, each).then(nearestPicture);
  searches.set(training, made);
  made.catch(() => searches.delete(training));
  return made;
}

/**
 * What two guessers that never saw a model score on the same samples: the best constant caption, and the caption of the
 * training picture nearest in processed pixels. Open `training` with the role `train`, so that held-out concepts of an
 * icon set are in neither.
 */
export async function captionBaselines({
  source,
  training,
  indices,
  onProgress,
}: BaselineSources): Promise<{ majority: CaptionScores; nearestNeighbour: CaptionScores }> {
  const hasImage = ({ media }: Sample): boolean => media.some(({ modality }) => modality === "image");
  const references: string[] = [];
  const pictured: number[] = [];
  for (const index of indices) {
    const sample = await source.samples.read(index);
    references.push(sample.reference);
    if (hasImage(sample)) pictured.push(index);
  }
  const captions: string[] = [];
  const withImage: number[] = [];
  for (let index = 0; index < training.samples.count; index += 1) {
    const sample = await training.samples.read(index);
    captions.push(sample.reference);
    if (hasImage(sample)) withImage.push(index);
  }
  const constant = majorityCaption(captions) ?? "";
  const total = withImage.length + 2 * indices.length;
  let done = 0;
  const advance = (): void => onProgress?.((done += 1), total);
  const nearest = await searchAmong(training, withImage, advance);
  const pictures = await pixelsOf(source, pictured, advance);
  const guesses = new Map<number, string>();
  for (const [position, picture] of pictures.values.entries()) {
    const neighbour = withImage[nearest(picture)];
    guesses.set(pictured[position] as number, neighbour === undefined ? "" : captions[neighbour]!);
    advance();
    await setImmediate();
  }
  return {
    majority: scoreCaptions(references.map((reference) => ({ prediction: constant, reference }))),
    nearestNeighbour: scoreCaptions(
      indices.map((index, position) => ({
        prediction: guesses.get(index) ?? "",
        reference: references[position] as string,
      })),
    ),
  };
}

/**
 * Generates a caption for every chosen sample and scores it, beside both baselines.
 * @throws THAW_DATA_CONCEPTS_EMPTY when the filter leaves nothing; whatever `generate` throws
 */
export async function captionEvaluation(options: CaptionEvaluationOptions): Promise<CaptionEvaluation> {
  const { source, training, concepts = "known", microBatchSize = 32, maxNewTokens = 24 } = options;
  const knownConcepts = (await training?.knownConcepts()) ?? new Set<string>();
  const { indices: chosen, unknown } = await selectConcepts(source.samples, concepts, knownConcepts);
  const indices = options.limit === undefined ? chosen : chosen.slice(0, options.limit);
  if (indices.length === 0) throw conceptsEmpty(source.name, concepts);
  const predictions: CaptionPrediction[] = [];
  options.onProgress?.({ done: 0, total: indices.length, stage: "captions" });
  for await (const batch of source.prompts({ microBatchSize, indices })) {
    const answers = await options.generate(batch, { maxNewTokens });
    for (const [row, index] of batch.indices.entries()) {
      const { id, reference } = await source.samples.read(index);
      predictions.push({ index, id, reference, prediction: source.processor.tokenizer.decode(answers[row] ?? []) });
    }
    options.onProgress?.({ done: predictions.length, total: indices.length, stage: "captions" });
  }
  const onProgress = (done: number, total: number): void => options.onProgress?.({ done, total, stage: "baselines" });
  const baselines =
    training === undefined || options.baselines === false
      ? {}
      : await captionBaselines({ source, training, indices, onProgress });
  return { ...scoreCaptions(predictions), samples: indices.length, unscored: unknown, baselines, predictions };
}
