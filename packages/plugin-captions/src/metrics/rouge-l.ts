import type { MetricFactory } from "@thaw/core";
import { z } from "zod";
import { bestOf, meanOverAnswers } from "./mean.js";

const rougeSchema = z.strictObject({});

/** Runs of a to z and digits; other letters separate, as in rouge-score 0.1.2. */
function rougeWords(text: string): readonly string[] {
  return text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
}

/** Length of the longest common subsequence. */
function commonLength(left: readonly string[], right: readonly string[]): number {
  let previous = new Uint32Array(right.length + 1);
  for (const word of left) {
    const current = new Uint32Array(right.length + 1);
    for (const [at, other] of right.entries())
      current[at + 1] = word === other ? previous[at]! + 1 : Math.max(previous[at + 1]!, current[at]!);
    previous = current;
  }
  return previous[right.length]!;
}

/** F1 of the longest common subsequence, as rouge-score 0.1.2 (`rougeL`, no stemmer, `score_multi`) computes it. */
export const rougeL: MetricFactory<z.output<typeof rougeSchema>> = {
  type: "rouge_l",
  summary:
    "F1 of the longest run of words, with gaps, that answer and reference share; Latin letters and digits alone.",
  better: "higher",
  schema: rougeSchema,
  make: () =>
    meanOverAnswers((scored) =>
      bestOf(scored, (answer, reference) => {
        const [said, wanted] = [rougeWords(answer), rougeWords(reference)];
        const common = commonLength(said, wanted);
        return common === 0 ? 0 : (2 * common) / (said.length + wanted.length);
      }),
    ),
};
