import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readTensor, thaw } from "../../test-support/thaw.js";
import { enterWorkFolder, type WorkFolder } from "../../test-support/work-folder.js";

const checkpoint = fileURLToPath(new URL("../../../../test/fixtures/goldens/llava", import.meta.url));
const EMBEDDING = "language_model.model.embed_tokens.weight";
const ROWS = "language_model.model.embed_tokens.token_rows.12_319";
let work: WorkFolder;

beforeAll(() => {
  work = enterWorkFolder("thaw-rows-");
  mkdirSync("images");
  copyFileSync(join(checkpoint, "image0.png"), join("images", "image0.png"));
  writeFileSync(
    "train.jsonl",
    `${JSON.stringify({
      image: "image0.png",
      conversations: [
        { from: "human", value: "<image>\nWhat is it?" },
        { from: "gpt", value: "A red disc." },
      ],
    })}\n`,
  );
  writeFileSync(
    "thaw.config.yaml",
    `model: ${checkpoint}
data: { train: { type: conversations, path: ./train.jsonl, images: ./images } }
freeze: { freeze_llm: true }
token_rows:
  tokens: [▁A, 12]
training: { max_steps: 4, micro_batch_size: 1, learning_rate: 0.05, save_every_steps: 2 }
backend: wasm
output: ./runs
seed: 1
`,
  );
});
afterAll(() => work.leave());

it("plans, trains, evaluates and exports rows of single tokens", async () => {
  const { parameters } = JSON.parse((await thaw("plan", "--json")).out) as {
    parameters: readonly { readonly name: string; readonly trainable: boolean; readonly reason: string }[];
  };
  expect(parameters.filter(({ trainable }) => trainable)).toMatchObject([
    { name: ROWS, reason: "2 rows trained by token_rows.tokens (thaw.config.yaml:5)" },
  ]);
  expect((await thaw("why", ROWS)).out).toContain("token_rows.tokens");
  expect((await thaw("train", "--quiet")).code).toBe(0);
  const run = join("runs", readdirSync("runs")[0]!);
  expect((await thaw("train", "--quiet", "--resume", join(run, "checkpoints", "step-2"))).err).not.toContain("error");
  const { code, err } = await thaw("export", run, "merged");
  expect([code, err]).toEqual([0, expect.any(String) as string]);
  const [before, after, rows] = [
    await readTensor(join(checkpoint, "model.safetensors"), EMBEDDING),
    await readTensor("merged/model.safetensors", EMBEDDING),
    await readTensor(join(run, "final", "trained.safetensors"), ROWS),
  ];
  const row = (values: Float32Array, index: number): Float32Array => values.slice(32 * index, 32 * (index + 1));
  for (let id = 0; id < 336; id++)
    expect(row(after, id), String(id)).toEqual(
      [12, 319].includes(id) ? row(rows, [12, 319].indexOf(id)) : row(before, id),
    );
  expect(row(after, 319)).not.toEqual(row(before, 319));
  const caption = async (model: string): Promise<string> =>
    (await thaw("caption", "images/image0.png", "--model", model, "--max-new-tokens", "3", "--json")).out;
  expect(await caption(run)).toBe(await caption("merged"));
});
