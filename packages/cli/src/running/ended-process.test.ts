import { spawnSync } from "node:child_process";
import { copyFileSync, writeFileSync } from "node:fs";
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

it.each([
  ["afterStep.tapPromise", "async () => process.exit(0)", 1],
  ["parameters.tap", "() => process.exit(0)", 1],
  ["beforeStep.tapPromise", "async () => process.exit(5)", 5],
])("a plugin that ends the process in %s is named, and never passes for success", (tap, body, code) => {
  copyFileSync(join(checkpoint, "image0.png"), "image0.png");
  writeFileSync("train.jsonl", `${JSON.stringify({ image: "image0.png", caption: "a disc" })}\n`);
  writeFileSync(
    "quitter.mjs",
    `export default { name: "quitter", apiVersion: 1, apply({ hooks }) { hooks.${tap}("Quitter", ${body}); } };\n`,
  );
  writeFileSync(
    "thaw.config.yaml",
    `model: ${checkpoint}\ndata: { train: ./train.jsonl }\nplugins: [./quitter.mjs]\nbackend: cpu\n` +
      "freeze: { train_mm_proj_only: true }\ntraining: { max_steps: 2, micro_batch_size: 1 }\n",
  );
  const { status, stderr } = spawnSync(process.execPath, [bin, "train", "--quiet"], { encoding: "utf8" });
  expect(stderr).toMatch(
    new RegExp(`ended by process\\.exit.*in hook ${tap.split(".")[0]!} of the plugin Quitter`, "s"),
  );
  expect(status).toBe(code);
});
