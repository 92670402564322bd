import { spawnSync } from "node:child_process";
import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { enterWorkFolder, type WorkFolder } from "../../test-support/work-folder.js";

const checkpoint = fileURLToPath(new URL("../../../../test/fixtures/goldens/llava", import.meta.url));
const bin = fileURLToPath(new URL("../../bin/thaw.js", import.meta.url));
const SECRET = 's3cret "value" \\1';
const PLUGIN = `
const tracker = (options) => ({
  name: "Tracker",
  apiVersion: 1,
  apply({ hooks, logger }) {
    hooks.checkpoint.tap("Tracker", (state) => ({ ...state, Tracker: options.apiKey }));
    hooks.afterStep.tap("Tracker", ({ step }) => {
      logger.warn({ key: options.apiKey }, "logs in with " + options.apiKey);
      if (step === 1) throw new Error("refused " + options.apiKey + " of " + options.apiKey.length);
    });
  },
});
tracker.definition = { name: "Tracker", apiVersion: 1, configKey: "tracker", apply() {} };
export default tracker;
`;
let work: WorkFolder;
beforeEach(() => {
  work = enterWorkFolder("thaw-secrets-");
  copyFileSync(join(checkpoint, "image0.png"), "image0.png");
  writeFileSync("train.jsonl", `${JSON.stringify({ image: "image0.png", caption: "a disc" })}\n`);
  writeFileSync("tracker.mjs", PLUGIN);
  writeFileSync(
    "thaw.config.yaml",
    `model: ${checkpoint}\ndata: { train: ./train.jsonl }\nplugins: [./tracker.mjs]\nbackend: wasm\noutput: ./runs\n` +
      "tracker: { api_key: { env: TRACKER_KEY } }\nfreeze: { train_mm_proj_only: true }\n" +
      "training: { max_steps: 3, micro_batch_size: 1, save_every_steps: 1 }\n",
  );
});
afterEach(() => work.leave());

const thaw = (key: string | undefined, ...args: readonly string[]) =>
  spawnSync(process.execPath, [bin, ...args], { encoding: "utf8", env: { ...process.env, TRACKER_KEY: key } });

function written(folder: string): readonly (readonly [file: string, text: string])[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(folder, name)).isFile())
    .map((name) => [name, readFileSync(join(folder, name), "latin1")] as const);
}

it.each(["--log-level=debug", "--json", "--debug"])("gives a plugin its secret and writes it nowhere: %s", (how) => {
  const { status, stdout, stderr } = thaw(SECRET, "train", how);
  expect(status).toBe(1);
  const all = [["stdout", stdout], ["stderr", stderr], ...written("runs")] as const;
  expect(stderr).toContain(`refused {env: TRACKER_KEY} of ${SECRET.length}`);
  expect(all.filter(([, text]) => text.includes("s3cret")).map(([file]) => file)).toEqual([]);
  expect(all.find(([file]) => file.endsWith("config.json"))?.[1]).toContain('"env": "TRACKER_KEY"');
});

it("names a variable that is not set, and one that the config of a run asks for", () => {
  const unset = thaw(undefined, "check");
  expect(unset.status).toBe(1);
  expect(unset.stdout + unset.stderr).toMatch(
    /tracker\.api_key is the environment variable TRACKER_KEY,\s+which is not/,
  );
  thaw(SECRET, "train", "--quiet");
  const [run] = readdirSync("runs");
  const resumed = thaw(SECRET, "train", "--resume", join("runs", run!));
  expect(resumed.status).toBe(1);
  expect(resumed.stderr).toMatch(/the config of a run\s+is data/);
});
