/**
 * What processes that train together are worth: one process beside several, a thread each, with the same micro-batch in
 * each; and what hosts would be worth, from the step and the link that were measured here.
 *
 * npm run bench -- ranks [--json] [--size S] [--mode projector_cached] [--processes 2] [--rounds 3] [--steps 4]
 *   [--link-ms 0.1 --link-mbps 100] [--plots docs/plots]
 *
 * `speedup`: samples per second of all processes over those of one, by the clock; `speedupByProcessor`: the same where
 * each process's processor time stands for its time, for a machine that others use too: it leaves out waiting, and
 * counts what sending and adding cost. Rounds are in turn; medians of the rounds' fastest steps. The simulation
 * (`hosts`) adds to a measured step the ring's `2 (n - 1)` messages and `2 (n - 1) / n` times the bytes of what trains.
 */
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median, rounded } from "./support/numbers.mjs";
import { DEFAULT_SHAPE } from "./support/peer-shapes.mjs";

export const builds = [
  "models",
  "core",
  "backend-gpu",
  "plugin-freeze-policy",
  "plugin-projector-only",
  "plugin-processes",
];

const HOSTS = [1, 2, 4, 8, 16, 32, 64];
/** Where a curve counts as bent: so much of linear. */
const BENT = 0.9;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export async function* run({ arguments: given, log }) {
  const { values } = parseArgs({
    args: given,
    options: {
      size: { type: "string", default: "S" },
      mode: { type: "string", default: "projector_cached" },
      backend: { type: "string", default: "wasm" },
      processes: { type: "string", default: "2" },
      rounds: { type: "string", default: "3" },
      steps: { type: "string", default: "4" },
      "link-ms": { type: "string" },
      "link-mbps": { type: "string" },
      plots: { type: "string" },
    },
  });
  const { size, mode, backend } = values;
  const count = Number(values.processes);
  const options = { size, mode, backend, steps: Number(values.steps), warmup: 2, shape: DEFAULT_SHAPE };
  const rounds = [];
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const [alone] = await together("peer-thaw.mjs", 1, options);
    const all = await together("peer-thaw.mjs", count, options);
    const worst = (pick) => Math.max(...all.map(pick));
    rounds.push({
      speedup: (count * alone.step_ms_min) / worst((one) => one.step_ms_min),
      speedupByProcessor: (count * alone.cpu_ms_min) / worst((one) => one.cpu_ms_min),
      aloneMs: alone.step_ms_min,
      aloneCpuMs: alone.cpu_ms_min,
      togetherMs: worst((one) => one.step_ms_min),
      togetherCpuMs: worst((one) => one.cpu_ms_min),
    });
    log(`round ${round + 1}: ${JSON.stringify(rounds.at(-1))}`);
  }
  const of = (name) => median(rounds.map((round) => round[name]));
  const names = Object.keys(rounds[0]);
  yield {
    size,
    mode,
    backend,
    processes: count,
    ...Object.fromEntries(names.map((name) => [name, rounded(of(name))])),
  };

  const link = await linkOf(values, count, log);
  const { trainedBytes } = await trainedOf(options);
  const tokens = DEFAULT_SHAPE.batch * (DEFAULT_SHAPE.imageTokens + DEFAULT_SHAPE.textTokens);
  const curves = Object.entries(trainedBytes).map(([what, bytes]) => ({
    name: what,
    points: HOSTS.map((hosts) => [hosts, shareOfLinear(hosts, of("aloneCpuMs"), bytes, link)]),
    bytes,
  }));
  for (const { name, points, bytes } of curves) {
    const bend = points.find(([, share]) => share < BENT);
    yield {
      simulation: name,
      trainedMb: rounded(bytes / 1e6),
      stepMs: rounded(of("aloneCpuMs")),
      linkMs: rounded(link.ms),
      linkMbPerSecond: rounded(link.bytesPerMs / 1e3),
      hosts: Object.fromEntries(points.map(([hosts, share]) => [hosts, rounded(share)])),
      tokensPerSecond: Object.fromEntries(
        points.map(([hosts, share]) => [hosts, Math.round((hosts * share * tokens * 1e3) / of("aloneCpuMs"))]),
      ),
      bends: bend === undefined ? `not up to ${HOSTS.at(-1)} hosts` : `at ${bend[0]} hosts`,
    };
  }
  if (values.plots !== undefined) {
    const { ranksSvg } = await import("./support/ranks-plot.mjs");
    mkdirSync(values.plots, { recursive: true });
    writeFileSync(join(values.plots, "ranks.svg"), ranksSvg(curves));
  }
}

/** Share of `hosts` times the work of one, where a step is followed by a sum over all. */
export function shareOfLinear(hosts, stepMs, bytes, { ms, bytesPerMs }) {
  if (hosts === 1) return 1;
  const sumMs = 2 * (hosts - 1) * ms + (2 * (hosts - 1) * bytes) / hosts / bytesPerMs;
  return stepMs / (stepMs + sumMs);
}

/** Time of a message and bytes in a millisecond: measured between processes of this machine, or as they are given. */
async function linkOf(values, count, log) {
  if (values["link-ms"] !== undefined && values["link-mbps"] !== undefined)
    return { ms: Number(values["link-ms"]), bytesPerMs: 1e3 * Number(values["link-mbps"]) };
  const [measured] = await together("ranks-link.mjs", count, {});
  log(`link: ${JSON.stringify(measured)}`);
  return measured;
}

/** Bytes of what trains in a step of the projector alone, and of everything. */
async function trainedOf({ size, shape }) {
  const [measured] = await together("ranks-link.mjs", 1, { size, shape });
  return measured;
}

/** The same script in so many processes of one thread, each told its place; their results by rank. */
async function together(script, size, options) {
  const { freePort } = await import("@thaw/plugin-processes");
  const port = size === 1 ? undefined : await freePort();
  return Promise.all(
    Array.from({ length: size }, (_, rank) => {
      const place = { rank, size, address: "127.0.0.1", port, token: "bench" };
      return output(script, size === 1 ? options : { ...options, place });
    }),
  );
}

function output(script, options) {
  const environment = {
    ...process.env,
    OMP_NUM_THREADS: "1",
    TF_NUM_INTRAOP_THREADS: "1",
    TF_NUM_INTEROP_THREADS: "1",
  };
  const child = spawn(process.execPath, [here(`support/${script}`), JSON.stringify(options)], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...environment, TF_CPP_MIN_LOG_LEVEL: "2" },
  });
  let [text, errors] = ["", ""];
  child.stdout.on("data", (chunk) => (text += chunk));
  child.stderr.on("data", (chunk) => (errors += chunk));
  return new Promise((resolve, reject) => {
    child.on("exit", (code) => {
      if (code === 0) resolve(JSON.parse(text.trim().split("\n").at(-1)));
      else reject(new Error(`${script} ended with ${code}: ${errors}`));
    });
  });
}
