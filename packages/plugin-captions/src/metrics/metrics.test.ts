import { readFileSync } from "node:fs";
import type { Metric, Score, ScoredAnswer } from "@thaw/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { captionWords } from "./caption-words.js";
import { METRICS } from "./list.js";
import { wordF1, wordsOf } from "./words.js";

interface Expected {
  readonly value: number;
  readonly each?: readonly number[];
}
const fixture = JSON.parse(readFileSync(new URL("../../fixtures/metrics.json", import.meta.url), "utf8")) as {
  readonly cases: readonly ScoredAnswer[];
  readonly bleu: readonly (Expected & { readonly options: object })[];
  readonly vqa_accuracy: { readonly value: number; readonly each: Readonly<Record<string, number>> };
  readonly cider: Expected & { readonly words: readonly (readonly string[])[] };
} & Readonly<Record<"token_f1" | "exact_match" | "anls" | "rouge_l", Expected>>;

function make(type: string, options: object = {}): Metric {
  const factory = METRICS.find((one) => one.type === type)!;
  return factory.make((factory.schema as unknown as { parse(value: unknown): unknown }).parse(options));
}
function score(type: string, answers: readonly ScoredAnswer[], options?: object): Score {
  const metric = make(type, options);
  if (metric.reads !== "answers") throw new Error(`${type} reads ${metric.reads}`);
  return metric.score(answers);
}
function expectNear(found: Score, { value, each = [] }: Expected): void {
  expect(found.value).toBeCloseTo(value, 6);
  expect(found.each ?? []).toHaveLength(each.length);
  for (const [index, one] of each.entries()) expect(found.each![index], `case ${index}`).toBeCloseTo(one, 6);
}

describe("metrics of answers equal their reference implementations", () => {
  it.each(["token_f1", "exact_match", "anls", "rouge_l", "cider"] as const)("%s", (type) => {
    expectNear(score(type, fixture.cases), fixture[type]);
  });

  it.each(fixture.bleu)("bleu $options", ({ options, value }) => {
    expectNear(score("bleu", fixture.cases, options), { value });
  });

  it("vqa_accuracy, of samples with several answers", () => {
    const several = fixture.cases.filter(({ references }) => references.length > 1);
    const { value, each } = fixture.vqa_accuracy;
    expectNear(score("vqa_accuracy", several), { value, each: Object.values(each) });
    expect(() => score("vqa_accuracy", [{ answer: "two", references: ["two"] }])).toThrow(
      expect.objectContaining({ code: "THAW_CAPTIONS_ONE_ANSWER" }),
    );
  });

  it("cider's words, as the PTB tokenizer splits them", () => {
    for (const [index, { answer, references }] of fixture.cases.entries())
      expect([answer, ...references].map((text) => captionWords(text).join(" "))).toEqual(fixture.cider.words[index]);
  });

  it("token_f1 and exact_match compare words as they are where they are told to", () => {
    const answers = [{ answer: "The Cat.", references: ["the cat"] }];
    expect([score("exact_match", answers).value, score("token_f1", answers).value]).toEqual([1, 1]);
    const options = { normalize: false };
    expect([score("exact_match", answers, options).value, score("token_f1", answers, options).value]).toEqual([0, 0]);
  });
});

it("loss and perplexity are made of the summed loss", () => {
  const of = (type: string): number => {
    const metric = make(type);
    return metric.reads === "loss" ? metric.score({ lossSum: 6, supervisedTokens: 4 }).value : Number.NaN;
  };
  expect([of("loss"), of("perplexity")]).toEqual([1.5, Math.exp(1.5)]);
});

it.each([
  ["none", 0],
  ["tokens", 1],
  ["bytes", 2],
])("choice_accuracy by %s takes choice %i", (normalize, likeliest) => {
  const metric = make("choice_accuracy", { normalize });
  const choices = [
    { text: "a", logLikelihood: -2, tokenCount: 1 },
    { text: "bb", logLikelihood: -3, tokenCount: 4 },
    { text: "c".repeat(20), logLikelihood: -4, tokenCount: 4 },
  ];
  const samples = [0, 1, 2].map((right) => ({ choices, right }));
  expect(metric.reads === "choices" && metric.score(samples).each).toEqual([0, 1, 2].map((at) => +(at === likeliest)));
});

it.each([
  ["Bob", 1],
  ["bob.", 1],
  ["B", 1],
  ["(B)", 1],
  ["B. Bob", 1],
  ["B: it is Bob", 1],
  ["The answer is B.", 1],
  ["the answer is (B) here", 1],
  ["Ann", 0],
  ["A", 0],
  ["Both", 0],
  ["Z", 0],
  ["", 0],
])("choice_accuracy by answer finds %j to be %i", (answer, right) => {
  const choices = { texts: ["Ann", "Bob"], answers: ["A", "B"], right: 1 };
  const scored = { answer, references: ["B"], choices };
  expect(score("choice_accuracy", [scored], { by: "answer" })).toEqual({ value: right, each: [right] });
  expect(() => score("choice_accuracy", [{ answer, references: ["B"] }], { by: "answer" })).toThrow(
    expect.objectContaining({ code: "THAW_CAPTIONS_NO_CHOICES" }),
  );
});

it("every metric is of a type, says what it is, and has strict options with defaults", () => {
  expect(new Set(METRICS.map(({ type }) => type)).size).toBe(METRICS.length);
  for (const { schema, summary } of METRICS) {
    const validate = (value: unknown): unknown => schema["~standard"].validate(value);
    expect(summary).toMatch(/\.$/);
    expect(validate({})).toHaveProperty("value");
    expect(validate({ unknown: 1 })).toHaveProperty("issues");
  }
});

describe("wordF1", () => {
  const wordsF1 = (left: string, right: string): number => wordF1(wordsOf(left), wordsOf(right));

  it.each([
    ["red apple", "red apple", 1],
    ["apple  red ", "red apple", 1],
    ["red", "red apple", 2 / 3],
    ["red red", "red apple", 0.5],
    ["pear", "red apple", 0],
    ["", "red apple", 0],
    ["", "", 1],
    ["the the cat", "the cat the dog", 6 / 7],
  ])("of %j against %j is %d", (answer, reference, expected) =>
    expect(wordsF1(answer, reference)).toBeCloseTo(expected, 12),
  );

  it("is symmetric and 1 where equal", () => {
    const text = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 5 }).map((words) => words.join(" "));
    fc.assert(
      fc.property(text, text, (left, right) => {
        expect(wordsF1(left, right)).toBe(wordsF1(right, left));
        if (left === right) expect(wordsF1(left, right)).toBe(1);
      }),
    );
  });
});
