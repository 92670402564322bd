import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { thaw } from "../../test-support/thaw.js";
import { enterWorkFolder, type WorkFolder } from "../../test-support/work-folder.js";

const checkpoint = fileURLToPath(new URL("../../../../test/fixtures/goldens/llava", import.meta.url));
let work: WorkFolder;

beforeAll(() => {
  work = enterWorkFolder("thaw-answers-");
  mkdirSync("images");
  copyFileSync(join(checkpoint, "image0.png"), join("images", "image0.png"));
  const image = "images/image0.png";
  const people = Array.from({ length: 10 }, (_, at) => ({ answer: at < 8 ? "a disc" : "red", answer_id: at + 1 }));
  const lines = (name: string, ...samples: object[]): void =>
    writeFileSync(name, samples.map((sample) => JSON.stringify({ image, ...sample })).join("\n"));
  lines("train.jsonl", { question: "What?", answers: people });
  lines("vqa.jsonl", { question: "What?", answers: people }, { question: "Colour?", answers: ["red", "a red"] });
  const choices = ["a disc", "the sea", "green"];
  lines("choices.jsonl", { question: "Which?", choices, answer: 0 }, { question: "Now?", choices, answer: "B" });
  writeFileSync("none.jsonl", JSON.stringify({ image, question: "What?", answer: "a disc" }));
});
afterAll(() => work.leave());

function config(sets: string, more = ""): void {
  writeFileSync(
    "thaw.config.yaml",
    `model: ${checkpoint}
data: { train: ./train.jsonl, evaluation: ${sets}, max_new_tokens: 4 }
freeze: { train_mm_proj_only: true }
training: { max_steps: 2, micro_batch_size: 1, learning_rate: 0.01${more} }
backend: wasm
output: ./runs
seed: 1
`,
  );
}

it("trains, keeps and evaluates by the answers of several people and by choices", async () => {
  config(
    "{ vqa: { type: conversations, path: vqa.jsonl, metrics: [vqa_accuracy, anls, exact_match] }, " +
      "choices: { type: conversations, path: choices.jsonl, " +
      "metrics: [choice_accuracy, { type: choice_accuracy, by: answer, name: said }] } }",
    ", evaluate_every_steps: 1, keep: { last: 1, best: choice_accuracy }",
  );
  const { code, out } = await thaw("train", "--log-level", "warn");
  expect(code).toBe(0);
  expect(out).toContain("choices/choices");
  const run = join("runs", readdirSync("runs")[0]!);
  const summary = JSON.parse(readFileSync(join(run, "summary.json"), "utf8")) as {
    readonly evaluations: Readonly<Record<string, Readonly<Record<string, number>>>>;
  };
  const { evaluations } = summary;
  expect(Object.keys(evaluations["captions/vqa"]!)).toEqual([
    "vqaAccuracy",
    "anls",
    "exactMatch",
    "samples",
    "unscored",
  ]);
  expect(Object.keys(evaluations["choices/choices"]!)).toEqual(["choiceAccuracy", "samples"]);
  expect([0, 0.5, 1]).toContain(evaluations["choices/choices"]!["choiceAccuracy"]);
  const again = await thaw("evaluate", run, "--quiet", "--json");
  expect(again.code).toBe(0);
  const [vqa, choices] = again.out.split("\n").map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  expect(vqa).toMatchObject({ name: "vqa", vqaAccuracy: evaluations["captions/vqa"]!["vqaAccuracy"] });
  expect(choices).toMatchObject({
    name: "choices",
    choiceAccuracy: evaluations["choices/choices"]!["choiceAccuracy"],
    said: evaluations["captions/choices"]!["said"],
  });
});

it.each([
  ["choice_accuracy", "THAW_CAPTIONS_NO_CHOICES"],
  ["vqa_accuracy", "THAW_CAPTIONS_ONE_ANSWER"],
])("%s on a set without what it reads ends the run before the first step: %s", async (metric, code) => {
  config(`{ type: conversations, path: none.jsonl, metrics: [${metric}] }`);
  const result = await thaw("train", "--quiet");
  expect(result.code).not.toBe(0);
  expect(result.err).toContain(code);
  expect(result.err).toContain("none.jsonl:1");
});
