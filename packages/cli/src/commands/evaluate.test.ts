import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { thaw } from "../../test-support/thaw.js";
import { enterWorkFolder, type WorkFolder } from "../../test-support/work-folder.js";

const checkpoint = fileURLToPath(new URL("../../../../test/fixtures/goldens/llava", import.meta.url));
/** A line of an evaluation in metrics.jsonl. */
interface EvaluatedLine {
  readonly event: string;
  readonly step: number;
  readonly name: string;
  readonly metrics: Readonly<Record<string, number>>;
  readonly lower: readonly string[];
}

let work: WorkFolder;
let run = "";

beforeAll(async () => {
  work = enterWorkFolder("thaw-evaluate-");
  mkdirSync("images");
  copyFileSync(join(checkpoint, "image0.png"), join("images", "image0.png"));
  const sample = { image: "images/image0.png", caption: "a disc" };
  for (const name of ["train", "held", "other"]) writeFileSync(`${name}.jsonl`, `${JSON.stringify(sample)}\n`);
  writeFileSync(
    "thaw.config.yaml",
    `model: ${checkpoint}
data: { train: ./train.jsonl, evaluation: { held: ./held.jsonl, other: ./other.jsonl }, max_new_tokens: 2 }
freeze: { train_mm_proj_only: true }
training: { max_steps: 1, micro_batch_size: 1, learning_rate: 0.01 }
backend: wasm
output: ./runs
seed: 1
`,
  );
  expect((await thaw("train", "--quiet", "--log-level", "debug")).code).toBe(0);
  run = join("runs", readdirSync("runs")[0]!);
});
afterAll(() => work.leave());

it("evaluate measures the run's own evaluation sets where no other is named", async () => {
  const { code, out } = await thaw("evaluate", run, "--quiet", "--json");
  expect(code).toBe(0);
  const lines = out.split("\n").map((line) => JSON.parse(line) as { readonly name: string; readonly samples: number });
  expect(lines.map(({ name, samples }) => [name, samples])).toEqual([
    ["held", 1],
    ["other", 1],
  ]);
});

it("evaluate measures the named set alone, without a name", async () => {
  const { out } = await thaw("evaluate", run, "--data", "./other.jsonl", "--quiet", "--json");
  expect(Object.keys(JSON.parse(out) as object)).not.toContain("name");
});

it("evaluate takes a set as a config has it, and a folder of images", async () => {
  mkdirSync("elsewhere", { recursive: true });
  writeFileSync("elsewhere/set.jsonl", JSON.stringify({ image: "image0.png", caption: "a disc" }));
  const mapping = "{ type: captions, path: elsewhere/set.jsonl, images: images }";
  for (const data of [
    ["--data", mapping],
    ["--data", "elsewhere/set.jsonl", "--images", "images"],
  ]) {
    const { code, out } = await thaw("evaluate", run, ...data, "--quiet", "--json");
    expect([code, (JSON.parse(out) as { samples: number }).samples]).toEqual([0, 1]);
  }
  expect((await thaw("evaluate", run, "--images", "images")).err).toContain("it together with --data");
  expect((await thaw("evaluate", run, "--data", "{ path: [")).err).toContain("a YAML mapping");
});

it("measures a metric of somebody's plugin: in the run, its best checkpoint, its report, and in evaluate", async () => {
  writeFileSync(
    "letters.mjs",
    `const schema = { "~standard": { version: 1, vendor: "own", validate: (value) => ({ value }) } };
const lettersOff = {
  type: "letters_off", summary: "How many letters an answer is too long or too short.", better: "lower", schema,
  make: () => ({
    reads: "answers",
    score(answers) {
      const each = answers.map(({ answer, references }) => Math.abs(answer.length - references[0].length));
      return { value: each.reduce((sum, one) => sum + one, 0) / each.length, each };
    },
  }),
};
export default { name: "LettersPlugin", apiVersion: 1, provides: { metrics: [lettersOff] } };
`,
  );
  writeFileSync(
    "letters.yaml",
    `extends: ./thaw.config.yaml
plugins: [./letters.mjs]
data:
  metrics: [letters_off, bleu, perplexity]
  evaluation: { held: ./held.jsonl, other: { type: captions, path: ./other.jsonl, metrics: [perplexity] } }
training:
  max_steps: 3
  evaluate_every_steps: 1
  keep: { best: letters_off }
  stop_when: { evaluation: captions/held, metric: letters_off, patience: 1 }
output: ./lettered
`,
  );
  const trained = await thaw("train", "letters.yaml", "--quiet");
  expect(trained).toMatchObject({ code: 0 });
  expect(trained.out).toMatch(/evaluation +samples +letters off +bleu\n/);
  const folder = join("lettered", readdirSync("lettered")[0]!);
  const lines = readFileSync(join(folder, "metrics.jsonl"), "utf8").trim().split("\n");
  const evaluated = lines
    .map((line) => JSON.parse(line) as EvaluatedLine)
    .filter(({ event, step }) => event === "evaluated" && step === 0);
  expect(evaluated.map(({ name, metrics, lower }) => [name, Object.keys(metrics), lower])).toEqual([
    ["held", ["loss", "supervisedTokens", "perplexity"], ["loss", "perplexity"]],
    ["other", ["loss", "supervisedTokens", "perplexity"], ["loss", "perplexity"]],
    ["captions/held", ["lettersOff", "bleu", "samples", "unscored"], ["lettersOff", "unscored"]],
  ]);
  expect(evaluated[0]!.metrics["perplexity"]).toBe(Math.exp(evaluated[0]!.metrics["loss"]!));
  const summary = JSON.parse(readFileSync(join(folder, "summary.json"), "utf8")) as object;
  expect(summary).toMatchObject({ best: { evaluation: "captions/held", metric: "lettersOff" } });
  const page = readFileSync(join(folder, "report.html"), "utf8");
  for (const text of ["letters off of captions/held", "bleu of captions/held", "perplexity of other"])
    expect(page).toContain(text);

  const { out, err } = await thaw("evaluate", folder, "--trust", "--quiet", "--json");
  expect(err).toBe("");
  const [held, other] = out.split("\n").map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  const numbers = { perplexity: expect.any(Number) as number, samples: 1 };
  expect(held).toMatchObject({ name: "held", ...numbers, lettersOff: expect.any(Number) as number });
  expect(Object.keys(other!)).toEqual(["name", "perplexity"]);
});

it("evaluate says what is missing where a checkpoint has no sets of its own", async () => {
  const { code, err } = await thaw("evaluate", checkpoint, "--quiet");
  expect([code, err]).toEqual([2, expect.stringContaining("THAW_CLI_NO_EVALUATION_DATA") as string]);
  expect(err).not.toContain("undefined");
});

it("caption names the pictures that cannot be used, and captions the others", async () => {
  writeFileSync("empty.png", "");
  const picture = join("images", "image0.png");
  const args = ["--model", run, "--json", "--max-new-tokens", "1", "--backend", "wasm"];
  const { code, out, err } = await thaw("caption", "empty.png", picture, "gone.png", ...args);
  expect(code).toBe(1);
  expect(JSON.parse(out)).toMatchObject({ image: picture });
  expect(err.split("\n").map((line) => /(\w+\.png).*\[(\w+)\]/.exec(line)?.slice(1))).toEqual([
    ["empty.png", "THAW_DATA_IMAGE_BROKEN"],
    ["gone.png", "THAW_DATA_IMAGE_MISSING"],
  ]);
});
