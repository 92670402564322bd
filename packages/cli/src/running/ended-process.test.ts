import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { enterWorkFolder, type WorkFolder } from "../../test-support/work-folder.js";

const checkpoint = fileURLToPath(new URL("../../../../test/fixtures/goldens/llava", import.meta.url));
const bin = fileURLToPath(new URL("../../bin/thaw.js", import.meta.url));
let work: WorkFolder;
beforeEach(() => {
  work = enterWorkFolder("thaw-exit-");
});
afterEach(() => work.leave());

/** A work folder whose config names a plugin with this body. */
function writePlugin(body: string): void {
  copyFileSync(join(checkpoint, "image0.png"), "image0.png");
  writeFileSync("train.jsonl", `${JSON.stringify({ image: "image0.png", caption: "a disc" })}\n`);
  writeFileSync("quitter.mjs", `export default { name: "quitter", apiVersion: 1, apply({ hooks }) { ${body} } };\n`);
  writeFileSync(
    "thaw.config.yaml",
    `model: ${checkpoint}\ndata: { train: ./train.jsonl }\nplugins: [./quitter.mjs]\nbackend: wasm\n` +
      "freeze: { train_mm_proj_only: true }\ntraining: { max_steps: 3, micro_batch_size: 1 }\n",
  );
}

const thaw = (...args: readonly string[]) => spawnSync(process.execPath, [bin, ...args], { encoding: "utf8" });

it.each([
  ["afterStep.tapPromise", "async () => process.exit(0)", 1],
  ["parameters.tap", "() => process.exit(0)", 1],
  ["beforeStep.tapPromise", "async () => process.exit(5)", 5],
])("a plugin that ends the process in %s is named, and never passes for success", (tap, body, code) => {
  writePlugin(`hooks.${tap}("Quitter", ${body});`);
  const { status, stderr } = thaw("train", "--quiet");
  expect(stderr).toMatch(
    new RegExp(`ended by process\\.exit.*in hook ${tap.split(".")[0]!} of the plugin Quitter`, "s"),
  );
  expect(status).toBe(code);
});

it.each([
  ["check"],
  ["plan"],
  ["why", "multi_modal_projector"],
  ["evaluate", checkpoint, "--data", "train.jsonl", "--quiet"],
  ["caption", "image0.png", "--model", checkpoint],
  ["chat", "--model", checkpoint],
  ["export", checkpoint, "out"],
])("in %s too", (...args) => {
  writePlugin("");
  // Whatever a command loads or computes may be what ends it
  const ending = join(process.cwd(), "ending.mjs");
  writeFileSync(ending, "setInterval(() => process.listenerCount('uncaughtException') > 0 && process.exit(0), 1);\n");
  const { status, stderr } = spawnSync(process.execPath, ["--import", ending, bin, ...args], { encoding: "utf8" });
  expect(stderr).toMatch(/ended by process\.exit\(0\) before the command was done/);
  expect(status).toBe(1);
});

it("names a plugin that ends the process in its apply, in check too", () => {
  writePlugin("process.exit(0);");
  const { status, stderr } = thaw("check");
  expect(stderr).toContain("in hook apply of the plugin quitter");
  expect(status).toBe(1);
});

it.each([
  ["setTimeout(() => { throw new Error('late'); }, 0); await new Promise((r) => setTimeout(r, 20));"],
  ["void Promise.reject(new Error('late')); await new Promise((r) => setTimeout(r, 20));"],
])("an error that nobody caught ends the run in order: %s", (body) => {
  writePlugin(`hooks.afterStep.tapPromise("Quitter", async ({ step }) => { if (step === 1) { ${body} } });`);
  const { status, stderr } = thaw("train", "--quiet");
  expect(stderr).toMatch(/error late\. In .*quitter\.mjs:1:\d+\./);
  expect(stderr).toContain("--resume");
  expect(stderr).not.toContain("    at ");
  expect(status).toBe(1);
  expect(/The state after step 2 is saved in (.*)\.$/m.exec(stderr)?.[1]).toSatisfy(existsSync);
});
