import type { MetricFactory } from "@thaw/core";
import { wordF1, wordsOf } from "./words.js";
import { z } from "zod";
import { bestOf, meanOverAnswers } from "./mean.js";

const squadSchema = z.strictObject({
  normalize: z
    .boolean()
    .default(true)
    .describe("Compare without case, ASCII punctuation and the words a, an, the, as SQuAD does."),
});

type SquadOptions = z.output<typeof squadSchema>;

/** Words as SQuAD's evaluation compares them (Rajpurkar et al., arXiv:1606.05250: `normalize_answer`). */
function squadWords(text: string): string[] {
  const plain = text.toLowerCase().replaceAll(/[!-/:-@[-`{-~]/g, "");
  return wordsOf(plain.replaceAll(/(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu, " "));
}

function splitBy({ normalize }: SquadOptions): (text: string) => string[] {
  return normalize ? squadWords : wordsOf;
}

/** F1 of words, as SQuAD's evaluation counts it; of several references the best one. */
export const tokenF1: MetricFactory<SquadOptions> = {
  type: "token_f1",
  summary: "F1 of the answer's words against the reference's, as SQuAD counts it.",
  better: "higher",
  schema: squadSchema,
  make: (options) => {
    const split = splitBy(options);
    return meanOverAnswers((scored) => bestOf(scored, (one, other) => wordF1(split(one), split(other))));
  },
};

/** Share of answers whose words are a reference's, in order, as SQuAD's evaluation counts it. */
export const exactMatch: MetricFactory<SquadOptions> = {
  type: "exact_match",
  summary: "Share of answers that are the same as a reference, as SQuAD counts it.",
  better: "higher",
  schema: squadSchema,
  make: (options) => {
    const plain = (text: string): string => splitBy(options)(text).join(" ");
    return meanOverAnswers((scored) => bestOf(scored, (one, other) => (plain(one) === plain(other) ? 1 : 0)));
  },
};
