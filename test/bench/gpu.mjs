/**
 * Thaw beside transformers + PyTorch on a GPU: time of a step and memory in tensors, in float32, TF32 and bfloat16.
 *
 * npm run bench -- gpu --python <python with torch and transformers> [--json] [--sizes M,1B] [--modes
 * projector,projector_cached,all] [--precisions float32,tf32,bfloat16] [--steps 10] [--backend gpu] [--device cuda|cpu]
 * [--cache-folder <folder>]
 *
 * One line per size, mode and precision. Ratios are Thaw over PyTorch. M is that of `peer`, a batch of 4 with 220
 * tokens each; 1B is the tower of LLaVA-1.5 (ViT-L/14, 336 pixels) and Llama 3.2 1B, a batch of 8 with 600 tokens each,
 * and 7B is LLaVA-1.5 with one matrix for embeddings and logits, as many.
 * Both sides' memory is what their allocator had in tensors at most. `gradientError`: of the projector's first weight,
 * to Thaw's own in float32. Thaw's bfloat16 keeps frozen weights in it and multiplies in it by all of them; PyTorch's
 * runs autocast. On a processor: `--backend native --device cpu --precisions
 * float32,bfloat16`.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { rounded } from "./support/numbers.mjs";

export const builds = [
  "models",
  "core",
  "backend-gpu",
  "plugin-freeze-policy",
  "plugin-lora",
  "plugin-processes",
  "plugin-projector-only",
];

const SIZES = ["S", "M", "1B", "7B"];
const MODES = ["projector", "projector_cached", "all"];
const PRECISIONS = ["float32", "tf32", "bfloat16"];
const WARMUP = 3;

const here = (file) => fileURLToPath(new URL(file, import.meta.url));

/** One process a side and size; lines come in Thaw's order once both sides are measured. */
export async function* run({ arguments: given, log }) {
  const options = readOptions(given);
  for (const size of options.sizes) {
    const cases = options.modes.flatMap((mode) => options.precisions.map((precision) => [mode, precision]));
    const thaw = await collect(
      process.execPath,
      [here("support/gpu-thaw.mjs"), JSON.stringify({ ...options, size, cases, warmup: WARMUP })],
      log,
    );
    const flags = [
      "--device",
      options.device,
      "--size",
      size,
      "--steps",
      options.steps,
      "--warmup",
      WARMUP,
      "--modes",
      ...options.modes,
      "--precisions",
      ...options.precisions,
    ].map(String);
    const torch = await collect(options.python, [here("peer_gpu.py"), ...flags], log);
    for (const line of thaw)
      yield compare(
        line,
        torch.find(({ mode, precision }) => mode === line.mode && precision === line.precision),
      );
  }
}

function compare(thaw, torch) {
  const { size, mode, precision, batch } = thaw;
  const failure = thaw.error ?? torch?.error;
  if (failure !== undefined || torch === undefined)
    return { size, mode, precision, batch, error: failure ?? "PyTorch printed no line for it" };
  return {
    size,
    mode,
    precision,
    batch,
    timeRatio: rounded(thaw.step_ms_median / torch.step_ms_median),
    bestRatio: rounded(thaw.step_ms_min / torch.step_ms_min),
    ...(torch.peak_mb === null
      ? {}
      : { memoryRatio: rounded(thaw.peak_mb / torch.peak_mb), peerMb: Math.round(torch.peak_mb) }),
    thawMs: rounded(thaw.step_ms_median),
    peerMs: rounded(torch.step_ms_median),
    thawMb: Math.round(thaw.peak_mb),
    ...(thaw.gradient_error === undefined ? {} : { gradientError: rounded(thaw.gradient_error) }),
    operations: thaw.ops,
    backend: thaw.backend,
    device: torch.device,
  };
}

/** The JSON lines that a program prints. */
function collect(program, parameters, log) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters, {
      env: { ...process.env, HF_HUB_OFFLINE: "1", TF_CPP_MIN_LOG_LEVEL: "2" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const lines = [];
    let errors = "";
    createInterface({ input: child.stdout }).on("line", (text) => {
      if (!text.startsWith("{")) return;
      const line = JSON.parse(text);
      log(
        `${line.side}, ${line.size}, ${line.mode}, ${line.precision}: ` +
          `${line.error ?? `${line.step_ms_median.toFixed(0)} ms`}`,
      );
      lines.push(line);
    });
    child.stderr.on("data", (chunk) => {
      errors = (errors + chunk).slice(-2000);
    });
    child.on("error", (error) => reject(new Error(`${program} does not start: ${error.message}`)));
    child.on("close", (code) =>
      lines.length > 0 ? resolve(lines) : reject(new Error(`${program} ended with ${code}: ${errors.trim()}`)),
    );
  });
}

function readOptions(given) {
  const text = (fallback) => ({ type: "string", default: fallback });
  const { values } = parseArgs({
    args: given,
    options: {
      sizes: text("M,1B"),
      modes: text(MODES.join()),
      precisions: text(PRECISIONS.join()),
      python: text("python3"),
      steps: text("10"),
      backend: text("gpu"),
      device: text("cuda"),
      "cache-folder": { type: "string" },
    },
  });
  const listed = (name, known) => {
    const items = values[name].split(",");
    const unknown = items.find((item) => !known.includes(item));
    if (unknown !== undefined)
      throw new Error(
        `There is no ${unknown} among the ${name}. In npm run bench -- gpu. Use some of: ${known.join(", ")}.`,
      );
    return items;
  };
  return {
    sizes: listed("sizes", SIZES),
    modes: listed("modes", MODES),
    precisions: listed("precisions", PRECISIONS),
    python: values.python,
    steps: Number(values.steps),
    backend: values.backend,
    device: values.device,
    cacheFolder: values["cache-folder"],
  };
}
