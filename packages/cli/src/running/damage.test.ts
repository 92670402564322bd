import "@tensorflow/tfjs-backend-cpu";
import { setBackend } from "@tensorflow/tfjs-core";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { thaw } from "../../test-support/thaw.js";
import { enterWorkFolder, type WorkFolder } from "../../test-support/work-folder.js";

const checkpoint = fileURLToPath(new URL("../../../../test/fixtures/goldens/llava", import.meta.url));
let work: WorkFolder;

const CONFIG = `model: ${checkpoint}
data: { train: ./train.jsonl, workers: 0 }
training: { micro_batch_size: 2, learning_rate: 1e-2, max_steps: 3, save_every_steps: 1 }
freeze: { train_mm_proj_only: true }
backend: wasm
output: ./two words
`;

beforeAll(async () => {
  await setBackend("cpu");
  work = enterWorkFolder("thaw-damage-");
  cpSync(join(checkpoint, "image0.png"), "image0.png");
  writeFileSync("train.jsonl", `${JSON.stringify({ image: "image0.png", caption: "a cat" })}\n`.repeat(2));
  writeFileSync("thaw.config.yaml", CONFIG);
});
afterAll(() => work.leave());

const flip = (file: string): void => {
  const bytes = readFileSync(file);
  bytes[bytes.length - 9]! ^= 1;
  writeFileSync(file, bytes);
};

it("offers the command that goes on from the newest whole checkpoint, and refuses a damaged result", async () => {
  const { out } = await thaw("train", "--quiet");
  const run = /^Run: (.*)$/m.exec(out)![1]!;
  const final = join(run, "final/trained.safetensors");
  cpSync(run, "whole", { recursive: true });
  flip(final);
  for (const command of [
    ["caption", "image0.png", "--model", run],
    ["evaluate", run, "--data", "train.jsonl"],
    ["export", run, "exported"],
  ])
    expect(await thaw(...command)).toMatchObject({
      code: 1,
      err: expect.stringContaining(`At ${final}.`) as string,
    });
  expect(existsSync("exported")).toBe(false);
  renameSync(join(run, "final"), "aside");
  flip(join(run, "checkpoints/step-3/optimizer.safetensors"));
  const { code, err } = await thaw("train", "--quiet", "--resume", run);
  expect(code).toBe(1);
  const command = /^Go on with: npx thaw train --resume '(.*)'/m.exec(err)?.[1];
  expect(command).toBe(join(run, "checkpoints/step-2"));
  const again = await thaw("train", "--quiet", "--resume", command!);
  const resumed = /^Run: (.*)$/m.exec(again.out)![1]!;
  expect(readFileSync(join(resumed, "final/trained.safetensors"))).toEqual(
    readFileSync("whole/final/trained.safetensors"),
  );
});

it("tells to set a stage's damaged checkpoint aside", async () => {
  mkdirSync("staged");
  writeFileSync(
    "staged.config.yaml",
    `${CONFIG.replace("output: ./two words", "output: ./staged")}stages: [{ name: align }, { name: more }]\n`,
  );
  const { out } = await thaw("train", "staged.config.yaml", "--quiet");
  const run = /^Run: (.*)$/m.exec(out)![1]!;
  const final = join(run, "2-more/final");
  const bytes = readFileSync(join(final, "trained.safetensors"));
  renameSync(final, "aside-2");
  const damaged = join(run, "2-more/checkpoints/step-3");
  flip(join(damaged, "trained.safetensors"));
  const { err } = await thaw("train", "--quiet", "--resume", run);
  expect(err).toContain(`Go on with: mv ${damaged} ${damaged}.damaged && npx thaw train --resume ${run}`);
  renameSync(damaged, `${damaged}.damaged`);
  expect((await thaw("train", "--quiet", "--resume", run)).code).toBe(0);
  expect(readFileSync(join(final, "trained.safetensors"))).toEqual(bytes);
});
