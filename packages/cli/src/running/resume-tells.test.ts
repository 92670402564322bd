import { copyFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { thaw } from "../../test-support/thaw.js";
import { enterWorkFolder, type WorkFolder } from "../../test-support/work-folder.js";

const checkpoint = fileURLToPath(new URL("../../../../test/fixtures/goldens/llava", import.meta.url));
const CONFIG = `model: ${checkpoint}
data: { train: ./train.jsonl, evaluation: ./held.jsonl, captions: false, workers: 0 }
freeze: { train_mm_proj_only: true }
training: { max_steps: 2, micro_batch_size: 1, learning_rate: 0.01, save_every_steps: 1 }
backend: wasm
`;
let work: WorkFolder;
let run = "";
/** What was logged: the logger writes to the process's own stream. */
let logged = "";

beforeAll(async () => {
  work = enterWorkFolder("thaw-tells-");
  copyFileSync(join(checkpoint, "image0.png"), "image0.png");
  copyFileSync(join(checkpoint, "image1.png"), "image1.png");
  const line = (index: number, caption: string): string => JSON.stringify({ image: `image${index}.png`, caption });
  writeFileSync("train.jsonl", `${line(0, "a disc")}\n${line(1, "a cat")}`);
  writeFileSync("held.jsonl", line(1, "a cat"));
  writeFileSync("thaw.config.yaml", CONFIG);
  const { code, text } = await logging("train", "--quiet");
  expect(code).toBe(0);
  logged = text;
  run = join("runs", readdirSync("runs")[0]!);
});
afterAll(() => work.leave());

async function logging(...args: readonly string[]) {
  let text = "";
  const spy = vi.spyOn(process.stderr, "write").mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  try {
    return { ...(await thaw(...args)), text };
  } finally {
    spy.mockRestore();
  }
}

describe("a run", () => {
  it("says when evaluation samples are in the training set", () => {
    expect(logged).toContain("1 of 1 samples of the evaluation set held are in the training set too");
  });

  it("says, when it goes on, from where into what, and what the edited config says otherwise", async () => {
    writeFileSync("thaw.config.yaml", CONFIG.replace("0.01", "0.005").replace("max_steps: 2", "max_steps: 9"));
    const { code, text } = await logging("train", "--quiet", "--resume", join(run, "checkpoints/step-1"));
    writeFileSync("thaw.config.yaml", CONFIG);
    expect(code).toBe(0);
    expect(text).toContain(
      "The run goes on with its own config. thaw.config.yaml differs by now in training.max_steps (2 -> 9), " +
        "training.learning_rate (0.01 -> 0.005); give with --set what is to change.",
    );
    expect(text).toMatch(/Branches off after step 1 of .*step-1, into .*runs\/run-.*\./);
    expect((await logging("train", "--quiet", "--resume", join(run, "checkpoints/step-1"))).text).not.toContain(
      "differs by now",
    );
  });

  it("says when nothing proves the config that it goes on with", async () => {
    const resume = ["train", "--quiet", "--log-level", "warn", "--resume", join(run, "checkpoints/step-1")];
    expect((await logging(...resume)).text).not.toContain("nothing proves");
    renameSync(join(run, "thaw-manifest.json"), join(run, "thaw-manifest.old"));
    const { code, text } = await logging(...resume);
    renameSync(join(run, "thaw-manifest.old"), join(run, "thaw-manifest.json"));
    expect(code).toBe(0);
    expect(text).toContain("has no thaw-manifest.json: nothing proves");
  });

  it("obeys --set KEY=null when it goes on", async () => {
    const set = ["--set", "freeze.train_mm_proj_only=null", "--set", "freeze.freeze_multi_modal_projector=false"];
    const resume = ["--resume", join(run, "checkpoints/step-1")];
    const refused = await logging("train", "--quiet", "--log-level", "error", ...resume, ...set);
    expect(refused.code).toBe(1);
    const text = `${refused.out}\n${refused.err}`;
    // Once, as a table whose lines are whole, with the flag that the command has
    expect(text.match(/The plan differs from the one/g)).toHaveLength(1);
    expect(text).toMatch(/^ {2}from step +component +parameters +before +now$/m);
    expect(text).toMatch(/^ {2}0 +language_model .*frozen +train$/m);
    expect(text).toContain("--accept-plan-change");
    expect(refused.err).toContain("Nothing was trained.");
    const accepted = await logging(
      "train",
      "--quiet",
      "--log-level",
      "error",
      "--accept-plan-change",
      ...resume,
      ...set,
    );
    expect(accepted.out).toMatch(/language_model +38,560 +trainable/);
  });

  it("goes on with other data where that is accepted alone", async () => {
    const resume = ["train", "--quiet", "--log-level", "warn", "--resume", join(run, "checkpoints/step-1")];
    const line = (index: number, caption: string): string => JSON.stringify({ image: `image${index}.png`, caption });
    writeFileSync("train.jsonl", `${line(0, "a disc")}\n${line(1, "a dog")}`);
    const refused = await logging(...resume);
    expect([refused.code, refused.err]).toEqual([
      1,
      expect.stringMatching(/different: sample 2\..*THAW_CORE_RESUME_DATA/s),
    ]);
    const accepted = await logging(...resume, "--accept-data-change");
    expect([accepted.code, accepted.text]).toEqual([0, expect.stringContaining("different: sample 2.")]);
  });
});

describe("--set plugins=", () => {
  it("reads what it names, as the file does", async () => {
    writeFileSync("own.mjs", `export default { name: "Own", apiVersion: 1, apply() {} };`);
    const { code, err } = await thaw("check", "--set", "plugins=[./own.mjs]");
    expect([code, err]).toEqual([0, ""]);
    expect((await thaw("check", "--set", "plugins=[./gone.mjs]")).err).toContain("THAW_PLUGIN_NOT_FOUND");
  });
});
