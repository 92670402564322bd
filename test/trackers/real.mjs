/**
 * `node test/trackers/real.mjs --python <python> [tensorboard]`: what Thaw's trackers write, read by the real tools.
 * Trains the tiny model with the tracker, stops it, goes on, and compares what the tool reads with `metrics.jsonl`. The
 * python has the tool installed (`pip install tensorboard`). One line per tool; exit 1 if one reads anything else.
 */
import { spawnSync } from "node:child_process";
import { strict as assert } from "node:assert";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import "@tensorflow/tfjs-backend-cpu";
import { setBackend } from "@tensorflow/tfjs-core";
import { eventNumbers, readMetrics, Trainer } from "@thaw/core";
import { trackers } from "@thaw/plugin-trackers";
import { tinyTrainerOptions } from "@thaw/testing";

const usage = "node test/trackers/real.mjs --python <python> [tensorboard]";
const { values, positionals } = parseArgs({ allowPositionals: true, options: { python: { type: "string" } } });
if (values.python === undefined) {
  process.stderr.write(`No python is named that has the tools. Write ${usage}.\n`);
  process.exit(2);
}
await setBackend("cpu");

/** One pixel. */
const PICTURE = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
const teller = {
  name: "told",
  evaluate: async (_session, { record, step }) => {
    const images = [{ type: "image/png", bytes: PICTURE }];
    const [texts, numbers] = [{ question: "a?", answer: "bé" }, { score: 0.5 }];
    await record({ event: "sample", step, name: "told", index: 0, id: "it", texts, numbers, images });
    return { score: 0.25 };
  },
};

/** Trains six steps, with a stop after three; gives the run folder. */
async function train(output, tracker) {
  const options = tinyTrainerOptions({ output, plugins: [trackers()], evaluators: [teller], trackers: [tracker] });
  const logger = { debug() {}, info() {}, error: console.error, warn: (...all) => console.error(all.at(-1)) };
  const first = new Trainer({ ...options, logger });
  first.hooks.afterStep.tap("Stop", ({ step }) => {
    if (step === 2) first.stop("asked by the script");
  });
  const { runFolder } = await first.run();
  await new Trainer({ ...options, logger, resume: { from: runFolder } }).run();
  return runFolder;
}

/** What the tool reads. */
function read(tool, ...args) {
  const script = fileURLToPath(new URL("real.py", import.meta.url));
  const { status, stdout } = spawnSync(values.python, [script, tool, ...args], {
    encoding: "utf8",
    maxBuffer: 2 ** 28,
    stdio: ["ignore", "pipe", "inherit"],
  });
  assert.equal(status, 0, `${tool} could not read it.`);
  return JSON.parse(stdout);
}

/** All numbers of the run by name: pairs of step and value, as float32. */
async function expected(runFolder) {
  const series = {};
  for (const line of await readMetrics(runFolder))
    for (const [name, value] of Object.entries(eventNumbers(line)))
      (series[name] ??= []).push([line.step, Math.fround(value)]);
  return series;
}

const TOOLS = {
  async tensorboard(output) {
    const runFolder = await train(output, { type: "tensorboard", histograms: 2 });
    const found = read("tensorboard", join(runFolder, "trackers/tensorboard"));
    assert.deepEqual(found.scalars, await expected(runFolder));
    assert.deepEqual(found.images["told/0-it/0"].at(-1), [6, 1, 1]);
    assert.match(found.texts["told/0-it"].at(-1)[1], /\*\*answer:\*\* bé/);
    assert.match(found.texts["config"][0][1], /"seed": 7/);
    const names = Object.keys(found.histograms);
    assert(names.some((name) => name.startsWith("gradients/")) && names.some((name) => name.startsWith("weights/")));
    for (const [name, all] of Object.entries(found.histograms)) {
      assert.deepEqual(
        all.map(([step]) => step),
        [2, 4, 6],
        name,
      );
      for (const [, count, counted] of all) assert.equal(counted, count);
    }
    return `${Object.keys(found.scalars).length} scalars, ${names.length} histograms`;
  },
};

let failures = 0;
for (const tool of positionals.length > 0 ? positionals : Object.keys(TOOLS)) {
  const output = await mkdtemp(join(tmpdir(), "thaw-trackers-"));
  try {
    console.log(`${tool}: reads what was written: ${await TOOLS[tool](output)}.`);
  } catch (error) {
    failures += 1;
    console.log(`${tool}: ${error.message}`);
  } finally {
    await rm(output, { recursive: true, force: true });
  }
}
process.exit(failures === 0 ? 0 : 1);
