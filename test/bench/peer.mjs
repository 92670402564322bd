/**
 * Thaw beside transformers + PyTorch, as it is and with every layer compiled (`layer.compile()`, which is inductor):
 * the same shapes, batch, token layout and optimizer, float32, in fresh processes by turns.
 *
 * npm run bench -- peer --size S --python <python with torch and transformers> [--json] [--modes a,b] [--rounds 3]
 * [--steps 5] [--threads 2] [--backend native] [--cache-folder <folder>] [--no-compiled]
 *
 * One line a mode; `compiled` in it has the numbers beside compiled PyTorch. Ratios are Thaw over PyTorch: `timeRatio`
 * of the medians over all rounds, `bestRatio` of the fastest steps (what is left where other programs share the
 * processor), `memoryRatio` of peak resident memory above what a process holds once its libraries are imported and, for
 * Thaw, its backend is loaded. `matmulRatio` is of float32 GFLOP/s, 880x576x1536.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median, rounded } from "./support/numbers.mjs";
import { DEFAULT_SHAPE, SIZE_NAMES } from "./support/peer-shapes.mjs";

export const builds = ["models", "core", "backend-gpu", "plugin-freeze-policy", "plugin-projector-only"];

/** Mode, what Thaw runs for it and what PyTorch runs. */
const MODES = [
  { mode: "projector" },
  { mode: "projector_cached" },
  { mode: "projector_cached_head", thaw: "projector_cached" },
  { mode: "projector_lm" },
  { mode: "all" },
  { mode: "epochs" },
];
const EPOCHS = { samples: 64, epochs: 3 };
const WARMUP = 2;

const here = (file) => fileURLToPath(new URL(file, import.meta.url));

/** Yields a line a mode as soon as it is measured. */
export async function* run({ arguments: given, log }) {
  const options = readOptions(given);
  const matmul = await compareMatmul(options, log);
  for (const { mode, thaw = mode } of MODES.filter(
    ({ mode }) => options.modes === undefined || options.modes.includes(mode),
  )) {
    const rounds = { thaw: [], peer: [], compiled: [] };
    // An epoch run is long enough to be its own repetition.
    for (let round = 0; round < (mode === "epochs" ? Math.min(options.rounds, 2) : options.rounds); round += 1) {
      rounds.thaw.push(await runThaw({ ...options, mode: thaw, ...EPOCHS, shape: DEFAULT_SHAPE, warmup: WARMUP }));
      rounds.peer.push(await runPeer(options, mode, []));
      if (options.isCompiled) rounds.compiled.push(await runPeer(options, mode, ["--compile"]));
      log(
        `${mode}, round ${round + 1}: Thaw ${timeOf(rounds.thaw.at(-1)).toFixed(0)} ms, PyTorch ` +
          `${timeOf(rounds.peer.at(-1)).toFixed(0)} ms` +
          (options.isCompiled ? `, compiled ${timeOf(rounds.compiled.at(-1)).toFixed(0)} ms` : ""),
      );
    }
    yield { mode, size: options.size, ...compare(rounds), ...compareCompiled(rounds), ...matmul };
  }
}

/** Thaw over PyTorch, with the numbers behind the ratios. */
export function compare({ thaw, peer }) {
  const time = (runs) => median(runs.map(timeOf));
  const best = (runs) => Math.min(...runs.map((one) => one.step_ms_min ?? timeOf(one)));
  const memory = (runs) => median(runs.map(({ peak_rss_mb: peak, rss_import_mb: imported }) => peak - imported));
  return {
    timeRatio: rounded(time(thaw) / time(peer)),
    bestRatio: rounded(best(thaw) / best(peer)),
    memoryRatio: rounded(memory(thaw) / memory(peer)),
    thawMs: rounded(time(thaw), 4),
    peerMs: rounded(time(peer), 4),
    thawBestMs: rounded(best(thaw), 4),
    peerBestMs: rounded(best(peer), 4),
    thawMb: Math.round(memory(thaw)),
    peerMb: Math.round(memory(peer)),
    thawLoss: [rounded(thaw[0].loss_first, 4), rounded(thaw[0].loss_last, 4)],
    peerLoss: [peer[0].loss_first, peer[0].loss_last],
    backend: thaw[0].backend,
    rounds: thaw.length,
  };
}

/** The same beside compiled PyTorch, where it was run. */
function compareCompiled({ thaw, compiled }) {
  if (compiled.length === 0) return {};
  const { timeRatio, bestRatio, memoryRatio, peerMs, peerBestMs, peerMb, peerLoss } = compare({ thaw, peer: compiled });
  return { compiled: { timeRatio, bestRatio, memoryRatio, peerMs, peerBestMs, peerMb, peerLoss } };
}

const timeOf = ({ step_ms_median: step, total_s: total }) => step ?? total * 1e3;

/** Float32 GFLOP/s of both, and Thaw's over PyTorch's. */
export async function compareMatmul(options, log) {
  const thaw = await runThaw({ ...options, mode: "gemm" });
  const script =
    "import sys,time,torch\ntorch.set_num_threads(int(sys.argv[1]))\n" +
    "a=torch.randn(880,576)\nb=torch.randn(1536,576)\nt=[]\nfor i in range(60):\n  " +
    "s=time.perf_counter();a@b.T;t.append(time.perf_counter()-s)\nprint(2*880*576*1536/min(t)/1e9)";
  const peer = Number(
    await runProgram(options.python, ["-c", script, String(options.threads)], peerEnvironment(options)),
  );
  log(
    `matmul 880x576x1536: Thaw ${thaw.gflops_max.toFixed(0)} GFLOP/s on ${thaw.backend}, PyTorch ` +
      `${peer.toFixed(0)} GFLOP/s`,
  );
  if (options.backend === "auto" && thaw.backend !== "tensorflow")
    log(
      `The native backend is not installed, so Thaw runs on ${thaw.backend}. Run thaw backend install, or give ` +
        "--cache-folder.",
    );
  return {
    matmulRatio: rounded(thaw.gflops_max / peer),
    thawGflops: Math.round(thaw.gflops_max),
    peerGflops: Math.round(peer),
  };
}

/** One case on Thaw in a process of its own. */
export async function runThaw(options) {
  return JSON.parse(
    lastLine(
      await runProgram(process.execPath, [here("support/peer-thaw.mjs"), JSON.stringify(options)], {
        TF_CPP_MIN_LOG_LEVEL: "2",
      }),
    ),
  );
}

async function runPeer(options, mode, more) {
  const { python, size, steps, threads } = options;
  const flags = [
    "--sizes",
    size,
    "--modes",
    mode,
    "--steps",
    String(steps),
    "--warmup",
    String(WARMUP),
    "--threads",
    String(threads),
    ...more,
  ];
  const line = JSON.parse(
    lastLine(await runProgram(python, [here("peer_transformers.py"), ...flags], peerEnvironment(options))),
  );
  if (line.error !== undefined) throw new Error(`PyTorch's ${mode} failed: ${line.error}`);
  return line;
}

/** For a PyTorch of so many threads, without a card and without a network. */
export const peerEnvironment = ({ threads }) => ({
  OMP_NUM_THREADS: String(threads),
  CUDA_VISIBLE_DEVICES: "",
  HF_HUB_OFFLINE: "1",
});
/** What a program prints last. */
export const lastLine = (text) => text.trim().split("\n").at(-1);

/** What a program prints; one that fails is an error with the end of what it complained about. */
export function runProgram(program, parameters, environment) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters, {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"])
      child[stream].on("data", (chunk) => {
        output[stream] += chunk;
      });
    child.on("error", (error) => reject(new Error(`${program} does not start: ${error.message}`)));
    child.on("close", (code) =>
      code === 0
        ? resolve(output.stdout)
        : reject(
            new Error(
              `${program} ended with ${String(code)}: ${output.stderr.trim().split("\n").slice(-5).join("\n")}`,
            ),
          ),
    );
  });
}

function readOptions(given) {
  const text = (fallback) => ({ type: "string", default: fallback });
  const { values } = parseArgs({
    args: given,
    options: {
      size: text("S"),
      python: text("python3"),
      modes: { type: "string" },
      rounds: text("3"),
      steps: text("5"),
      threads: text("2"),
      backend: text("auto"),
      "cache-folder": { type: "string" },
      "no-compiled": { type: "boolean", default: false },
    },
  });
  if (!SIZE_NAMES.includes(values.size))
    throw new Error(
      `The size ${values.size} is not known. In npm run bench -- peer. Use one of: ${SIZE_NAMES.join(", ")}.`,
    );
  const modes = values.modes?.split(",");
  const unknown = modes?.find((mode) => !MODES.some((known) => known.mode === mode));
  if (unknown !== undefined)
    throw new Error(
      `The mode ${unknown} is not known. In npm run bench -- peer. Use some of: ` +
        `${MODES.map(({ mode }) => mode).join(", ")}.`,
    );
  return {
    size: values.size,
    python: values.python,
    modes,
    backend: values.backend,
    cacheFolder: values["cache-folder"],
    isCompiled: !values["no-compiled"],
    rounds: Number(values.rounds),
    steps: Number(values.steps),
    threads: Number(values.threads),
  };
}
