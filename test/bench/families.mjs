/**
 * `npm run bench -- families --python <python> [--only gemma3,smolvlm] [--rounds 3] [--steps 3] [--threads 2]
 * [--repeats 4] [--backend native] [--cache-folder <folder>] [--profile] [--json]`: for each golden folder a model of
 * its family of about 30 million random parameters, written by transformers, and a projector-only step of the golden's
 * batch, several times over, beside the same in transformers, float32, in fresh processes by turns. What ratios mean
 * stands in `peer.mjs`; `lossDifference` is of the first losses. On a machine that others use, `taskset -c 0 npm run
 * bench -- families --threads 1` keeps both to a core, where `cpuRatio` says what an idle core would show: threads that
 * wait for each other count as busy.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compare, compareMatmul, lastLine, peerEnvironment, runProgram } from "./peer.mjs";
import { rounded } from "./support/numbers.mjs";

export const builds = ["models", "core", "backend-gpu", "plugin-freeze-policy", "plugin-projector-only"];

const WARMUP = 2;
const goldens = fileURLToPath(new URL("../fixtures/goldens", import.meta.url));
const here = (file) => fileURLToPath(new URL(file, import.meta.url));

/** Yields a line a folder as soon as it is measured; one that fails has its error in the line. */
export async function* run({ arguments: given, log }) {
  const options = readOptions(given);
  const matmul = await compareMatmul(options, log);
  for (const name of options.only) {
    const holder = await mkdtemp(join(tmpdir(), "thaw-families-"));
    try {
      yield { folder: name, ...(await measure(name, join(holder, "model"), options, log)), ...matmul };
    } catch (error) {
      yield { folder: name, error: error.message };
    } finally {
      rmSync(holder, { recursive: true, force: true });
    }
  }
}

async function measure(name, folder, options, log) {
  const { python, rounds: count, repeats, steps, threads } = options;
  const golden = join(goldens, name);
  const peer = async (...words) =>
    JSON.parse(
      lastLine(
        await runProgram(python, [here("peer_families.py"), ...words.map(String)], {
          ...peerEnvironment(options),
          PYTHONWARNINGS: "ignore",
        }),
      ),
    );
  const { parameters } = await peer("write", golden, folder);
  const request = JSON.stringify({ ...options, golden, folder, warmup: WARMUP });
  const rounds = { thaw: [], peer: [] };
  for (let round = 0; round < count; round += 1) {
    rounds.thaw.push(
      JSON.parse(
        lastLine(
          await runProgram(process.execPath, [here("support/family-thaw.mjs"), request], { TF_CPP_MIN_LOG_LEVEL: "2" }),
        ),
      ),
    );
    rounds.peer.push(await peer("train", golden, folder, repeats, WARMUP, steps, threads));
    const [thaw, torch] = [rounds.thaw.at(-1), rounds.peer.at(-1)].map((one) => one.step_ms_median.toFixed(0));
    log(`${name}, round ${round + 1}: Thaw ${thaw} ms, transformers ${torch} ms`);
  }
  const [thaw, torch] = [rounds.thaw[0], rounds.peer[0]];
  return {
    parameters,
    trained: thaw.trained,
    tokens: thaw.tokens,
    ...compare(rounds),
    ...compareProcessor(rounds),
    lossDifference: rounded(Math.abs(thaw.loss_first - torch.loss_first), 2),
    ...(thaw.profile === undefined ? {} : { profile: thaw.profile.slice(0, 12) }),
  };
}

/** Time of the processor in the cheapest step, all threads together: other programs change it little. */
function compareProcessor(rounds) {
  const [thaw, torch] = [rounds.thaw, rounds.peer].map((runs) => Math.min(...runs.map((one) => one.step_cpu_ms)));
  return { cpuRatio: rounded(thaw / torch), thawCpuMs: rounded(thaw, 4), peerCpuMs: rounded(torch, 4) };
}

function readOptions(given) {
  const text = (fallback) => ({ type: "string", default: fallback });
  const { values } = parseArgs({
    args: [...given],
    options: {
      python: text("python3"),
      only: { type: "string" },
      rounds: text("3"),
      steps: text("3"),
      threads: text("2"),
      repeats: text("4"),
      backend: text("native"),
      "cache-folder": { type: "string" },
      profile: { type: "boolean", default: false },
    },
  });
  const known = readdirSync(goldens).filter((name) => existsSync(join(goldens, name, "golden.json")));
  const only = values.only?.split(",") ?? known;
  const unknown = only.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new Error(
      `The folder ${unknown} is not known. In npm run bench -- families. Use some of: ${known.join(", ")}.`,
    );
  return {
    python: values.python,
    only,
    backend: values.backend,
    cacheFolder: values["cache-folder"],
    profile: values.profile,
    rounds: Number(values.rounds),
    steps: Number(values.steps),
    threads: Number(values.threads),
    repeats: Number(values.repeats),
  };
}
