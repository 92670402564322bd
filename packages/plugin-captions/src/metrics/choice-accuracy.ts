import type { JudgedChoice, MetricFactory } from "@thaw/core";
import { z } from "zod";
import { meanOf } from "./mean.js";

const choiceSchema = z.strictObject({
  normalize: z
    .enum(["none", "tokens", "bytes"])
    .default("none")
    .describe("Compare likelihoods of whole choices, or per token, or per byte, so that long ones are not put back."),
});

type ChoiceOptions = z.output<typeof choiceSchema>;

function judged({ logLikelihood, tokenCount, text }: JudgedChoice, normalize: ChoiceOptions["normalize"]): number {
  if (normalize === "none") return logLikelihood;
  return logLikelihood / Math.max(1, normalize === "tokens" ? tokenCount : Buffer.byteLength(text));
}

/**
 * Share of questions whose likeliest choice is the right one; of equals the first is taken, as numpy's `argmax` does.
 * `none` and `bytes` are `acc` and `acc_norm` of the Language Model Evaluation Harness 0.4 (`api/task.py`).
 */
export const choiceAccuracy: MetricFactory<ChoiceOptions> = {
  type: "choice_accuracy",
  summary: "Share of questions with choices whose likeliest choice is the right one.",
  better: "higher",
  schema: choiceSchema,
  make: ({ normalize }) => ({
    reads: "choices",
    score: (samples) =>
      meanOf(
        samples.map(({ choices, right }) => {
          const values = choices.map((choice) => judged(choice, normalize));
          return values.indexOf(Math.max(...values)) === right ? 1 : 0;
        }),
      ),
  }),
};
