import type { JudgedChoice, MetricFactory, SampleChoices, ScoredAnswer } from "@thaw/core";
import { noChoices } from "../errors.js";
import { z } from "zod";
import { meanOf, meanOverAnswers } from "./mean.js";

const choiceSchema = z.strictObject({
  by: z
    .enum(["likelihood", "answer"])
    .default("likelihood")
    .describe("What a model chooses: what it finds likeliest, or what it writes."),
  normalize: z
    .enum(["none", "tokens", "bytes"])
    .default("none")
    .describe(
      "Compare likelihoods of whole choices, or per token, or per byte, so that long ones are not put back (by: " +
        "likelihood).",
    ),
});

type ChoiceOptions = z.output<typeof choiceSchema>;

function judged({ logLikelihood, tokenCount, text }: JudgedChoice, normalize: ChoiceOptions["normalize"]): number {
  if (normalize === "none") return logLikelihood;
  return logLikelihood / Math.max(1, normalize === "tokens" ? tokenCount : Buffer.byteLength(text));
}

/** Letters and digits alone, as one text compares with another. */
function bare(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
}

/**
 * The choice that an answer names: by its text or the form that was asked for, or by its letter, as
 * `eval/eval_science_qa.py` of LLaVA 1.2 finds it: `B`, `B. text`, `The answer is B.`; -1 for none.
 */
function namedChoice(answer: string, { texts, answers }: SampleChoices): number {
  for (const list of [answers, texts]) {
    const found = list.map(bare).indexOf(bare(answer));
    if (bare(answer) !== "" && found >= 0) return found;
  }
  const said = answer.trim();
  const letter =
    /^\(?([A-Z])(?:[).:]|\s*$)/.exec(said)?.[1] ?? /\bThe answer is \(?([A-Z])\b/i.exec(said)?.[1]?.toUpperCase();
  const index = letter === undefined ? -1 : letter.codePointAt(0)! - 65;
  return index < texts.length ? index : -1;
}

/** @throws THAW_CAPTIONS_NO_CHOICES */
function isRight({ answer, choices }: ScoredAnswer): number {
  if (choices === undefined) throw noChoices("choice_accuracy", `the sample that was answered "${answer}"`);
  return namedChoice(answer, choices) === choices.right ? 1 : 0;
}

/**
 * Share of questions whose likeliest choice is the right one; of equals the first is taken, as numpy's `argmax` does.
 * `none` and `bytes` are `acc` and `acc_norm` of the Language Model Evaluation Harness 0.4 (`api/task.py`). With
 * `by: answer` the share of written answers that name the right choice.
 */
export const choiceAccuracy: MetricFactory<ChoiceOptions> = {
  type: "choice_accuracy",
  summary: "Share of questions with choices of which the right one is chosen.",
  better: "higher",
  schema: choiceSchema,
  make: ({ by, normalize }) =>
    by === "answer"
      ? meanOverAnswers(isRight)
      : {
          reads: "choices",
          score: (samples) =>
            meanOf(
              samples.map(({ choices, right }) => {
                const values = choices.map((choice) => judged(choice, normalize));
                return values.indexOf(Math.max(...values)) === right ? 1 : 0;
              }),
            ),
        },
};
