import type { Metric, ScoredAnswer } from "@thaw/core";
import { expect, it } from "vitest";
import { metric } from "./metric.js";

const answers: readonly ScoredAnswer[] = [
  { answer: "A cat sleeps", references: ["a dog", "a cat sits"] },
  { answer: "the moon", references: ["a moon"] },
];

it.each([
  [1, [1, 0]],
  [2, [1, 0]],
  [3, [0, 0]],
])("compares the first %i words with every reference", (words, each) => {
  const made = metric.make({ words }) as Extract<Metric, { reads: "answers" }>;
  expect(made.score(answers)).toEqual({ value: each.reduce((sum, one) => sum + one, 0) / 2, each });
});
