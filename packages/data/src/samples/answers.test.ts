import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { captionSample } from "./captions.js";
import { conversationSample } from "./conversations.js";
import { rowSample } from "./rows.js";
import type { Sample } from "@thaw/contracts";

const origin = "test.jsonl:3";
const folders = { image: resolve("/pictures"), audio: resolve("/sounds") };
const options = { folders, prompt: "Say.", textOnly: true };
type Value = Record<string, unknown>;
/** A record in every way in which it is read. */
const readers: readonly (readonly [string, (value: Value, choices?: "letters" | "texts") => Sample])[] = [
  ["a row", (value, choices) => rowSample({ value, origin }, { ...options, choices })],
  ["a line of JSON", (value, choices) => conversationSample({ value, origin }, { ...options, choices })],
];
const question = "Who?";
const texts = ({ messages }: Sample): readonly string[] =>
  messages.map(({ content }) => content.map((part) => (part.type === "text" ? part.text : "")).join(""));
const problem = (read: () => unknown): string => {
  try {
    read();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("It was read.");
};

describe.each(readers)("answers of %s", (_name, read) => {
  it.each<[string, Value, string, readonly string[] | undefined]>([
    ["one answer", { answer: "me" }, "me", undefined],
    ["a number", { answer: 7 }, "7", undefined],
    ["DocVQA's list", { answers: ["Ann", "Ann B."] }, "Ann", ["Ann", "Ann B."]],
    ["TextVQA's people", { answers: ["b", "a", "", "a", "c"] }, "a", ["b", "a", "", "a", "c"]],
    [
      "VQAv2's people",
      { answers: ["no", "yes", "yes"].map((answer, at) => ({ answer, answer_confidence: "yes", answer_id: at + 1 })) },
      "yes",
      ["no", "yes", "yes"],
    ],
    ["SQuAD's lists", { answers: { text: ["x", "y"], answer_start: [1, 2] } }, "x", ["x", "y"]],
    ["a list in a cell of text", { answers: ' ["2", 2, "two"]' }, "2", ["2", "2", "two"]],
    ["a list under answer", { answer: ["cat", "a cat"] }, "cat", ["cat", "a cat"]],
    ["an answer that is to be learned", { answer: "both", answers: ["one", "one"] }, "both", ["one", "one"]],
    ["a list of one", { answers: ["only"] }, "only", ["only"]],
  ])("%s", (_case, value, reference, references) => {
    const sample = read({ question, ...value });
    expect(texts(sample)).toEqual([question, reference]);
    expect([sample.reference, sample.references]).toEqual([reference, references]);
  });

  it("beside the turns of a conversation: what its last turn says is learned", () => {
    const asked = { messages: [{ role: "user", content: "Who?" }], answers: ["b", "a", "a"] };
    expect(texts(read(asked))).toEqual(["Who?", "a"]);
    const answered = { ...asked, messages: [...asked.messages, { role: "assistant", content: "c" }] };
    expect(texts(read(answered))).toEqual(["Who?", "c"]);
    expect(read(answered).references).toEqual(["b", "a", "a"]);
  });

  it.each<[string, Value, string]>([
    ["what is no answer", { answers: [{ said: "x" }] }, '"answers" holds {"said":"x"}'],
    ["empty ones alone", { answers: ["", " "] }, 'Each of "answers" is empty'],
    ["a broken list", { answers: "[1, 2" }, "not valid JSON"],
    ["choices without the right one", { choices: ["a", "b"], answer: "c" }, "is none of the 2 choices"],
    ["a letter too far", { choices: ["a", "b"], answer: "D" }, '"D" is none of the 2 choices'],
    ["a number too far", { choices: ["x", "y"], answer: 2 }, "The answer 2 is none of the 2 choices"],
    ["one choice", { choices: ["x"], answer: 0 }, "at least two"],
    ["choices that are no texts", { choices: [["x"], "y"], answer: 0 }, '"choices" is'],
  ])("%s is refused", (_case, value, part) => {
    const message = problem(() => read({ question, ...value }));
    expect(message).toContain(part);
    expect(message).toContain(origin);
  });

  const listed = "Who?\nA. Ann\nB. Bob\nC. Cy\nAnswer with the option's letter from the given choices directly.";
  it.each<[string, Value]>([
    ["a letter", { choices: ["Ann", "Bob", "Cy"], answer: "B" }],
    ["a letter in brackets", { options: ["Ann", "Bob", "Cy"], answer: "(b)" }],
    ["a number from 0", { choices: ["Ann", "Bob", "Cy"], answer: 1 }],
    ["a number as text", { options: '["Ann", "Bob", "Cy"]', answer: "1" }],
    ["a text", { choices: ["Ann", "Bob", "Cy"], answer: "Bob" }],
    ["ARC's label", { choices: { label: ["1", "2", "3"], text: ["Ann", "Bob", "Cy"] }, answer: "2" }],
    ["choices by letter", { options: { A: "Ann", B: "Bob", C: "Cy" }, answer: "B" }],
  ])("choices whose right one is %s", (_case, value) => {
    const [letters, whole] = [read({ question, ...value }), read({ question, ...value }, "texts")];
    expect(texts(letters)).toEqual([listed, "B"]);
    expect(letters.choices).toEqual({ texts: ["Ann", "Bob", "Cy"], answers: ["A", "B", "C"], right: 1 });
    expect(texts(whole)).toEqual(["Who?", "Bob"]);
    expect(whole.choices).toEqual({ texts: ["Ann", "Bob", "Cy"], answers: ["Ann", "Bob", "Cy"], right: 1 });
  });

  it.each([
    ["B", "B"],
    ["Bob", "Bob"],
    [1, "Bob"],
  ])("a conversation that ends with a question, and choices whose right one is %s", (answer, said) => {
    const messages = [{ role: "user", content: "Ann or Bob?" }];
    expect(texts(read({ messages, choices: ["Ann", "Bob"], answer }))).toEqual(["Ann or Bob?", said]);
  });

  it.each([
    ["Bob", ["Ann", "Bob"]],
    ["B", ["A", "B"]],
    ["(b)", ["(a)", "(b)"]],
    ["B.", ["A.", "B."]],
    ["1", ["0", "1"]],
  ])("choices of a conversation that ends with %s", (said, answers) => {
    const messages = [
      { role: "user", content: "Ann or Bob?" },
      { role: "assistant", content: said },
    ];
    const sample = read({ messages, choices: ["Ann", "Bob"] });
    expect(sample.choices).toEqual({ texts: ["Ann", "Bob"], answers, right: 1 });
    expect(texts(sample)).toEqual(["Ann or Bob?", said]);
  });
});

it("several captions: the first is learned, unless another one is there more often", () => {
  const of = (value: Value): Sample => captionSample({ value: { image: "a.png", ...value }, origin }, options);
  expect(of({ caption: ["a boat", "boats"] })).toMatchObject({ reference: "a boat", references: ["a boat", "boats"] });
  expect(of({ captions: '["x", "y", "y"]' })).toMatchObject({ reference: "y", references: ["x", "y", "y"] });
  expect(of({ caption: "[sic] a boat" })).not.toHaveProperty("references");
  expect(problem(() => of({ caption: [] }))).toContain("has no caption");
});
