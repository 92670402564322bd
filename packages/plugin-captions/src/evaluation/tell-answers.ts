import type { AddedEvent, Sample } from "@thaw/core";
import { thumbnail, type DataSource } from "@thaw/data";
import type { AnswerMetric } from "../choosing/chosen-metrics.js";
import type { AnswerEvaluation, AnswerPrediction } from "./answer-evaluation.js";

/** Samples of an evaluation that are told: so many of the worst, of the best, and spread over the set. */
const TOLD_EACH = 12;
const TOLD_PIXELS = 320;

/** What the stream of a run's events hears of an evaluation. */
interface Telling {
  readonly name: string;
  readonly step: number;
  readonly source: DataSource;
  readonly metrics: readonly AnswerMetric[];
  readonly tell: (event: AddedEvent) => Promise<void>;
}

/** So many items spread evenly over a list, so that nobody picks the good ones. */
export function spread<Item>(items: readonly Item[], count: number): readonly Item[] {
  if (items.length <= count) return items;
  return Array.from({ length: count }, (_, index) => items[Math.floor(((index + 0.5) * items.length) / count)]!);
}

/** Baselines and samples, into the stream of the run's events. */
export async function tellAnswers(
  { baselines, predictions }: AnswerEvaluation,
  { name, step, source, metrics, tell }: Telling,
): Promise<void> {
  const { majority, nearestNeighbour } = baselines;
  for (const [baseline, scores] of [["majority", majority] as const, ["nearest neighbour", nearestNeighbour] as const])
    if (scores !== undefined) await tell({ event: "baseline", step, name, baseline, metrics: scores });
  for (const { index, id, reference, prediction, scores } of told(predictions, metrics)) {
    const sample = await source.samples.read(index);
    const image = sample.media.find(({ modality }) => modality === "image");
    const images =
      image === undefined ? [] : [{ type: "image/png" as const, bytes: await thumbnail(image.source, TOLD_PIXELS) }];
    const question = questionOf(sample);
    const texts = { ...(question === undefined ? {} : { question }), reference, answer: prediction };
    await tell({ event: "sample", step, name, index, id, texts, numbers: scores, images });
  }
}

/** The worst, some of all, and the best, by the first metric that scores samples. */
function told(predictions: readonly AnswerPrediction[], metrics: readonly AnswerMetric[]): Iterable<AnswerPrediction> {
  const ranking = metrics.find(({ name }) => predictions[0]?.scores[name] !== undefined);
  const sign = ranking?.better === "lower" ? -1 : 1;
  const scoreOf = ({ scores }: AnswerPrediction): number => (ranking === undefined ? 0 : sign * scores[ranking.name]!);
  const ranked = predictions.toSorted((left, right) => scoreOf(left) - scoreOf(right));
  return new Set([...ranked.slice(0, TOLD_EACH), ...spread(predictions, TOLD_EACH), ...ranked.slice(-TOLD_EACH)]);
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
