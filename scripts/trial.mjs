/**
 * `npm run trial -- <name> [--count n] [--seconds n] [--seed n] [--part x] [--json]`: does something bad to Thaw again
 * and again and counts what came of it. Trials are the files of `scripts/trials`; each exports `count` (its default),
 * `setUp` (given a temporary folder, makes what attempts share) and `attempt` (given that, `{ random, index, folder
 * }`), which returns `{ outcome, note }`; it may export `timeoutMs`, `tearDown` and `batch`: then an attempt is of
 * `size` inputs and returns a list of those that did not survive. Outcomes: `survived` (the right result, or an error
 * that says what is wrong), `silent` (a wrong result without a word), `lost` (work is gone that need not be), `hung`,
 * `crashed` (an error that is not Thaw's).
 * `--built`: everything is built, and nothing is looked at for it. `--part`: one of a trial's parts, where it has some
 * (of fuzz a reader). Prints one line, `{ "trial", "count", "survived", "silent", "lost", "hung", "crashed" }` with
 * `--json`; exit 1 unless all survived. What did not is told on stderr, with the seed that makes it again.
 */
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { randomOf } from "./trials/support/random.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const OUTCOMES = ["survived", "silent", "lost", "hung", "crashed"];
/** What a trial that does not say otherwise gives one attempt. */
const TIMEOUT_MS = 60_000;

const names = (await readdir(new URL("trials/", import.meta.url)))
  .filter((file) => file.endsWith(".mjs"))
  .map((file) => file.slice(0, -4))
  .toSorted();

function fail(problem) {
  const usage = `npm run trial -- <${names.join(" | ")}> [--count n] [--seconds n] [--seed n] [--part x] [--json]`;
  process.stderr.write(`${problem} In npm run trial. Write ${usage}.\n`);
  return process.exit(2);
}

function whole(text, option) {
  if (text === undefined) return undefined;
  return /^\d+$/.test(text) ? Number(text) : fail(`${option} is ${JSON.stringify(text)}, not a whole number.`);
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        count: { type: "string" },
        seconds: { type: "string" },
        seed: { type: "string" },
        part: { type: "string" },
        json: { type: "boolean", default: false },
        built: { type: "boolean", default: false },
      },
    });
    if (positionals.length !== 1 || !names.includes(positionals[0]))
      return fail(`${positionals.length === 0 ? "No trial" : `Not one trial: ${positionals.join(" ")}`} is named.`);
    return {
      name: positionals[0],
      count: whole(values.count, "--count"),
      seconds: whole(values.seconds, "--seconds"),
      seed: whole(values.seed, "--seed") ?? 1,
      part: values.part,
      json: values.json,
      isBuilt: values.built,
    };
  } catch (error) {
    return fail(error.message);
  }
}

/** One attempt, judged: what it throws is a crash, what does not end in time hangs. */
async function judge(trial, context, details) {
  let timer;
  const timeout = new Promise((resolve) => {
    const milliseconds = trial.timeoutMs ?? TIMEOUT_MS;
    timer = setTimeout(() => resolve({ outcome: "hung", note: `no end after ${milliseconds} ms` }), milliseconds);
  });
  try {
    return await Promise.race([trial.attempt(context, details), timeout]);
  } catch (error) {
    return { outcome: "crashed", note: error?.stack ?? String(error) };
  } finally {
    clearTimeout(timer);
  }
}

const { name, count: wanted, seconds, seed, part, json, isBuilt } = readArguments();
if (!isBuilt) {
  const built = spawnSync("npx", ["--no-install", "tsc", "-b", "packages/cli", "packages/testing"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
  if (built.status !== 0) process.exit(built.status ?? 1);
}

const trial = await import(`./trials/${name}.mjs`);
const count = wanted ?? (seconds === undefined ? trial.count : Infinity);
const parent = await mkdtemp(join(tmpdir(), `thaw-trial-${name}-`));
const counts = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0]));
let done = 0;
try {
  const context = await trial.setUp(parent, { seed, part });
  const end = performance.now() + 1000 * (seconds ?? Infinity);
  while (done < count && performance.now() < end) {
    const folder = join(parent, `attempt-${done}`);
    await mkdir(folder);
    const random = randomOf(`${name} ${seed} ${done}`);
    const size = Math.min(trial.batch ?? 1, count - done);
    const result = await judge(trial, context, { random, index: done, folder, size });
    const outcomes = [result].flat();
    for (const { outcome, note = "" } of outcomes) {
      counts[outcome] += 1;
      if (outcome !== "survived") process.stderr.write(`${outcome} at ${done} of --seed ${seed}: ${note}\n`);
    }
    if (Array.isArray(result)) counts.survived += size - outcomes.length;
    done += size;
    await rm(folder, { recursive: true, force: true });
    // Whatever hangs cannot be ended in this process, and what follows would not be itself
    if (!Array.isArray(result) && result.outcome === "hung") break;
  }
  await trial.tearDown?.(context);
} finally {
  await rm(parent, { recursive: true, force: true });
}
const result = { trial: name, count: Object.values(counts).reduce((sum, value) => sum + value, 0), ...counts };
process.stdout.write(
  json
    ? `${JSON.stringify(result)}\n`
    : `${name}: ${result.count} attempts, ${OUTCOMES.map((outcome) => `${counts[outcome]} ${outcome}`).join(", ")}\n`,
);
process.exit(result.survived === result.count ? 0 : 1);
