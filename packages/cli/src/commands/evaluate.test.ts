import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { thaw } from "../../test-support/thaw.js";
import { enterWorkFolder, type WorkFolder } from "../../test-support/work-folder.js";

const checkpoint = fileURLToPath(new URL("../../../../test/fixtures/goldens/llava", import.meta.url));
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
