import { setImmediate } from "node:timers/promises";
import type { Sample } from "@thaw/core";
import type { DataSource } from "@thaw/data";
import { majorityAnswer } from "./majority.js";
import { nearestPicture } from "./nearest-pixels.js";

type Pictured = Pick<DataSource, "samples" | "pixels">;

/** The parts of the sources that baselines read. */
export interface BaselineSources {
  readonly source: Pictured;
  readonly training: Pictured;
  /** Samples of `source` that are answered. */
  readonly indices: readonly number[];
  readonly onProgress?: (done: number, total: number) => void;
}

/** What each guesser answers, in the order of `indices`. */
export interface BaselineAnswers {
  readonly majority: readonly string[];
  readonly nearestNeighbour: readonly string[];
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
 * What two guessers that never saw a model answer on the same samples: the best constant answer, and the answer of the
 * training picture nearest in processed pixels. Open `training` with the role `train`, so that held-out concepts of an
 * icon set are in neither.
 */
export async function baselineAnswers({
  source,
  training,
  indices,
  onProgress,
}: BaselineSources): Promise<BaselineAnswers> {
  const hasImage = ({ media }: Sample): boolean => media.some(({ modality }) => modality === "image");
  const pictured: number[] = [];
  for (const index of indices) if (hasImage(await source.samples.read(index))) pictured.push(index);
  const answers: string[] = [];
  const withImage: number[] = [];
  for (let index = 0; index < training.samples.count; index += 1) {
    const sample = await training.samples.read(index);
    answers.push(sample.reference);
    if (hasImage(sample)) withImage.push(index);
  }
  const constant = majorityAnswer(answers) ?? "";
  const total = withImage.length + 2 * pictured.length;
  let done = 0;
  const advance = (): void => onProgress?.((done += 1), total);
  const nearest = await searchAmong(training, withImage, advance);
  const pictures = await pixelsOf(source, pictured, advance);
  const guesses = new Map<number, string>();
  for (const [position, picture] of pictures.values.entries()) {
    const neighbour = withImage[nearest(picture)];
    guesses.set(pictured[position] as number, neighbour === undefined ? "" : answers[neighbour]!);
    advance();
    await setImmediate();
  }
  return {
    majority: indices.map(() => constant),
    nearestNeighbour: indices.map((index) => guesses.get(index) ?? ""),
  };
}
