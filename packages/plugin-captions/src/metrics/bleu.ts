import type { MetricFactory, ScoredAnswer } from "@thaw/core";
import { countsOf, wordsOf } from "./words.js";
import { z } from "zod";
import { gramsOf } from "./mean.js";

const bleuSchema = z.strictObject({
  maxOrder: z.number().int().min(1).max(9).default(4).describe("Longest run of words that is compared."),
  lowercase: z.boolean().default(false).describe("Compare without case."),
  smoothing: z
    .enum(["exp", "none"])
    .default("exp")
    .describe("Where no run of a length is right: count half a one, a quarter, ...; or the score is 0."),
});

type BleuOptions = z.output<typeof bleuSchema>;

/** Words of mteval-v13a, as sacreBLEU 2 splits them by default (`tokenizer_13a`, `tokenizer_re`). */
function bleuWords(text: string): string[] {
  const line = text
    .trimEnd()
    .replaceAll("<skipped>", "")
    .replaceAll("-\n", "")
    .replaceAll("\n", " ")
    .replaceAll("&quot;", '"')
    .replaceAll("&amp;", "&")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">");
  return wordsOf(
    ` ${line} `
      .replaceAll(/([{-~[-` -&(-+:-@/])/g, " $1 ")
      .replaceAll(/([^0-9])([.,])/g, "$1 $2 ")
      .replaceAll(/([.,])([^0-9])/g, " $1 $2")
      .replaceAll(/([0-9])(-)/g, "$1 $2 "),
  );
}

/** Counts over a set: right and all runs by length, and how long answers and the nearest references are. */
function countRuns(answers: readonly ScoredAnswer[], { maxOrder, lowercase }: BleuOptions) {
  const right = Array.from({ length: maxOrder }, () => 0);
  const all = Array.from({ length: maxOrder }, () => 0);
  let said = 0;
  let wanted = 0;
  const split = (text: string): string[] => bleuWords(lowercase ? text.toLowerCase() : text);
  for (const { answer, references } of answers) {
    const words = split(answer);
    const others = references.map(split);
    said += words.length;
    const nearest = others.map(({ length }) => [Math.abs(length - words.length), length] as const);
    wanted += nearest.toSorted((one, other) => one[0] - other[0] || one[1] - other[1])[0]![1];
    const known = others.map((other) => gramsOf(other, maxOrder).map(countsOf));
    for (const [order, grams] of gramsOf(words, maxOrder).entries()) {
      all[order]! += grams.length;
      for (const [gram, count] of countsOf(grams))
        right[order]! += Math.min(count, Math.max(...known.map((counts) => counts[order]!.get(gram) ?? 0)));
    }
  }
  return { right, all, said, wanted };
}

/** Precisions of runs by length, as `BLEU.compute_bleu` of sacreBLEU smooths them. */
function precisions(right: readonly number[], all: readonly number[], smoothing: BleuOptions["smoothing"]): number[] {
  let halved = 1;
  return right.map((count, order) => {
    const total = all[order]!;
    if (total === 0) return 0;
    if (count > 0) return count / total;
    if (smoothing === "none") return 0;
    halved *= 2;
    return 1 / (halved * total);
  });
}

/**
 * BLEU of the whole set (Papineni et al., ACL 2002), as sacreBLEU 2 computes it (`corpus_bleu`, tokenizer 13a), as a
 * share of 1 instead of 100.
 */
export const bleu: MetricFactory<BleuOptions> = {
  type: "bleu",
  summary: "sacreBLEU of the whole set (tokenizer 13a), from 0 to 1.",
  better: "higher",
  schema: bleuSchema,
  make: (options) => ({
    reads: "answers",
    score: (answers) => {
      const { right, all, said, wanted } = countRuns(answers, options);
      if (right.every((count) => count === 0)) return { value: 0 };
      const shares = precisions(right, all, options.smoothing);
      const mean = shares.reduce((sum, share) => sum + Math.log(share), 0) / shares.length;
      return { value: (said < wanted ? Math.exp(1 - wanted / said) : 1) * Math.exp(mean) };
    },
  }),
};
