import type { Metric, Score, ScoredAnswer } from "@thaw/core";

/** A score that is the mean of the samples' own; 0 of none. */
export function meanOf(each: readonly number[]): Score {
  return { value: each.length === 0 ? 0 : each.reduce((sum, one) => sum + one, 0) / each.length, each };
}

/** A metric of answers that is a mean over samples, each by itself. */
export function meanOverAnswers(score: (scored: ScoredAnswer) => number): Metric {
  return { reads: "answers", score: (answers) => meanOf(answers.map(score)) };
}

/** The best score of an answer among its references. */
export function bestOf(
  { answer, references }: ScoredAnswer,
  score: (answer: string, reference: string) => number,
): number {
  return Math.max(...references.map((reference) => score(answer, reference)));
}

/** Every run of 1 to `most` words, as one text each. */
export function gramsOf(words: readonly string[], most: number): string[][] {
  return Array.from({ length: most }, (_, order) =>
    words.slice(order).map((_word, first) => words.slice(first, first + order + 1).join(" ")),
  );
}
