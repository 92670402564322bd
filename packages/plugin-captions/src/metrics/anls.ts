import { editDistance, type MetricFactory } from "@thaw/core";
import { wordsOf } from "./words.js";
import { z } from "zod";
import { bestOf, meanOverAnswers } from "./mean.js";

const anlsSchema = z.strictObject({
  threshold: z
    .number()
    .gt(0)
    .max(1)
    .default(0.5)
    .describe("Share of an answer's letters that may be wrong; from there on the score is 0."),
});

function plain(text: string): string {
  return wordsOf(text.toLowerCase()).join(" ");
}

/**
 * Average normalised Levenshtein similarity of answers read from pictures (Biten et al., arXiv:1905.13648), as the
 * package anls 0.0.2 of Python computes it: without case, white space as one blank; the best of several references.
 */
export const anls: MetricFactory<z.output<typeof anlsSchema>> = {
  type: "anls",
  summary: "Likeness by letters of answers that were read from pictures, as ST-VQA and DocVQA measure it.",
  better: "higher",
  schema: anlsSchema,
  make: ({ threshold }) =>
    meanOverAnswers((scored) =>
      bestOf(scored, (answer, reference) => {
        // Letters as code points, as Python counts them.
        const [one, other] = [Array.from(plain(answer)), Array.from(plain(reference))];
        const longest = Math.max(one.length, other.length);
        const share = longest === 0 ? 0 : editDistance(one, other) / longest;
        return share < threshold ? 1 - share : 0;
      }),
    ),
};
