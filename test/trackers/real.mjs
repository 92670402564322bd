/**
 * `node test/trackers/real.mjs --python <python> [tensorboard] [mlflow] [wandb]`: what Thaw's trackers write, read by
 * the real tools. Trains the tiny model with the tracker, stops it, goes on, and compares what the tool reads with
 * `metrics.jsonl`. The python has the tool installed (`pip install tensorboard mlflow wandb`). One line per tool;
 * exit 1 if one reads anything else.
 */
import { execFile, spawn, spawnSync } from "node:child_process";
import { createServer } from "node:http";
import { promisify } from "node:util";
import { strict as assert } from "node:assert";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import "@tensorflow/tfjs-backend-cpu";
import { setBackend } from "@tensorflow/tfjs-core";
import { chosenTrackers, CORE_PROVIDER, eventNumbers, readMetrics, Registry, silentLogger, Trainer } from "@thaw/core";
import { freePort } from "@thaw/plugin-processes";
import { trackers } from "@thaw/plugin-trackers";
import { tinyTrainerOptions } from "@thaw/testing";

const usage = "node test/trackers/real.mjs --python <python> [tensorboard] [mlflow] [wandb]";
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

/** All numbers of the run by name: pairs of step and value. */
async function expected(runFolder, rounded = Math.fround) {
  const series = {};
  for (const line of await readMetrics(runFolder))
    for (const [name, value] of Object.entries(eventNumbers(line)))
      (series[name] ??= []).push([line.step, rounded(value)]);
  return series;
}

/** An MLflow server of the python's, on a free port of loopback, while `work` runs. */
async function withMlflow(folder, work) {
  const port = await freePort();
  const script = [
    "-m",
    "mlflow",
    "server",
    "--host",
    "127.0.0.1",
    "--port",
    String(port),
    "--workers",
    "1",
    "--backend-store-uri",
    `sqlite:///${join(folder, "mlflow.db")}`,
    "--artifacts-destination",
    join(folder, "artifacts"),
  ];
  const server = spawn(values.python, script, { stdio: ["ignore", "ignore", "ignore"], detached: true });
  try {
    const url = `http://127.0.0.1:${port}`;
    for (;;) {
      if (server.exitCode !== null) throw new Error("the server did not start");
      if (
        await fetch(`${url}/health`).then(
          ({ ok }) => ok,
          () => false,
        )
      )
        break;
      await setTimeout(500);
    }
    return await work(url);
  } finally {
    process.kill(-server.pid);
  }
}

/** What `wandb sync` sends, taken by a server on loopback that answers as far as that needs. */
async function syncedByWandb(folder) {
  const taken = { rows: [], files: [], exit: undefined, run: undefined };
  const project = { id: "p", name: "real", entity: { id: "e", name: "me" } };
  const answers = {
    Viewer: () => ({ viewer: { id: "1", entity: "me", username: "me", flags: "{}", teams: { edges: [] } } }),
    ServerFeaturesQuery: () => ({ serverInfo: { features: [] } }),
    RunResumeStatus: () => ({ model: null }),
    UpsertBucket(variables) {
      taken.run ??= variables;
      const bucket = {
        id: "b",
        name: variables.name,
        displayName: variables.displayName,
        project,
        historyLineCount: 0,
      };
      return { upsertBucket: { bucket, inserted: true } };
    },
    CreateRunFiles({ files }) {
      const urls = files.map((name) => ({ name, uploadUrl: `http://127.0.0.1:${server.address().port}/put/${name}` }));
      return { createRunFiles: { runID: "b", uploadHeaders: [], files: urls } };
    },
  };
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    if (request.method === "PUT") taken.files.push([decodeURI(request.url.slice("/put/".length)), body]);
    let answer = {};
    if (request.url.endsWith("/graphql")) {
      const { query, variables } = JSON.parse(body);
      answer = { data: answers[/^\s*(?:query|mutation) (\w+)/.exec(query)?.[1]]?.(variables) ?? {} };
    } else if (request.url.endsWith("/file_stream")) {
      const { files = {}, exitcode } = JSON.parse(body);
      for (const line of files["wandb-history.jsonl"]?.content ?? []) taken.rows.push(JSON.parse(line));
      taken.exit = exitcode ?? taken.exit;
    }
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(answer));
  });
  await new Promise((listening) => void server.listen(0, "127.0.0.1", listening));
  try {
    const env = {
      ...process.env,
      WANDB_BASE_URL: `http://127.0.0.1:${server.address().port}`,
      WANDB_API_KEY: "a".repeat(40),
      WANDB_ERROR_REPORTING: "false",
    };
    await promisify(execFile)(values.python, ["-m", "wandb", "sync", "--yes", folder], { env });
    return taken;
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

const TOOLS = {
  async wandb(output) {
    const runFolder = await train(output, { type: "wandb", project: "real", histograms: 2 });
    const place = join(runFolder, "trackers/wandb");
    const [name] = await readdir(place);
    const { rows, files, exit, run } = await syncedByWandb(join(place, name));
    assert.equal(exit, 0);
    assert.equal(run.displayName, basename(runFolder));
    assert.equal(JSON.parse(run.config).seed.value, 7);
    const series = {};
    for (const { _step, ...row } of rows)
      for (const [key, value] of Object.entries(row)) (series[key] ??= []).push([_step, value]);
    for (const [key, all] of Object.entries(await expected(runFolder, (value) => value)))
      assert.deepEqual(series[key], all, key);
    const pictures = files.filter(([path]) => path.startsWith("media/images/"));
    assert(pictures.length > 0 && pictures.every(([, bytes]) => bytes.equals(PICTURE)));
    return `${rows.length} rows of ${Object.keys(series).length} values, ${pictures.length} pictures`;
  },
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
  async mlflow(output) {
    const port = await freePort();
    // Nobody is there while it trains
    const options = { type: "mlflow", url: `http://127.0.0.1:${port}`, experiment: "real" };
    const runFolder = await train(join(output, "runs"), options);
    const registry = new Registry([CORE_PROVIDER, trackers()]);
    return withMlflow(output, async (url) => {
      const [{ factory, options: own }] = chosenTrackers([{ ...options, url }], registry);
      const sent = await factory.send(own, { folder: join(runFolder, "trackers/mlflow"), logger: silentLogger });
      assert.equal(sent.left, 0, sent.reason);
      const whole = await train(join(output, "runs2"), { ...options, url });
      const found = read("mlflow", url, "real");
      assert.equal(found.length, 2);
      for (const folder of [runFolder, whole]) {
        const run = found.find(({ name }) => name === basename(folder));
        assert.deepEqual(run.metrics, await expected(folder, (value) => value));
        assert.equal(run.status, "FINISHED");
        assert.equal(run.params["seed"], "7");
        assert.equal(run.tags["seed"], "7");
        assert(run.artifacts.includes("config.json"));
        assert(run.artifacts.includes("samples/told/step-00000006/0-it-0.png"));
      }
      const [{ metrics, artifacts }] = found;
      return `${Object.keys(metrics).length} metrics and ${artifacts.length} artifacts, sent at once and later`;
    });
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
