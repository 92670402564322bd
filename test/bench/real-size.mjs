/**
 * `npm run bench -- real-size --python <python> [--model smolvlm-256m] [--backend wasm]`: a folder of a published
 * shape with random bfloat16 weights, written by transformers: how long `thaw plan` takes, what opening and three
 * projector-only steps of one sample take beside transformers, how far the losses are apart, and whether transformers
 * reads the export.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

export const builds = ["cli"];

const root = fileURLToPath(new URL("../..", import.meta.url));
const GOLDENS = { "smolvlm-256m": "smolvlm", "qwen3-vl-2b": "qwen3_vl" };

/** @param {{ arguments: readonly string[], log: (line: string) => void }} options */
export async function* run({ arguments: args, log }) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      python: { type: "string" },
      model: { type: "string", multiple: true, default: Object.keys(GOLDENS) },
      backend: { type: "string", default: "wasm" },
    },
  });
  if (values.python === undefined) throw new Error("No --python is given. Give one with torch and transformers.");
  const holder = mkdtempSync(join(tmpdir(), "thaw-real-size-"));
  try {
    for (const model of values.model) yield measure(model, values.python, values.backend, join(holder, model), log);
  } finally {
    rmSync(holder, { recursive: true, force: true });
  }
}

function measure(model, python, backend, holder, log) {
  const golden = join(root, "test/fixtures/goldens", GOLDENS[model]);
  const [folder, batchFile, exportFolder] = ["model", "batch.safetensors", "export"].map((name) => join(holder, name));
  const oracle = (...words) => lastJson(python, [join(root, "test/bench/real_size.py"), ...words]);
  log(`${model}: writing`);
  spawn(python, [join(root, "test/bench/real_size.py"), "write", model, folder, golden]);
  const config = join(holder, "thaw.yaml");
  writeFileSync(config, "model: ./model\nfreeze: { train_mm_proj_only: true }\n");
  const before = performance.now();
  spawn(process.execPath, [join(root, "packages/cli/bin/thaw.js"), "plan", config]);
  const planSeconds = (performance.now() - before) / 1000;
  log(`${model}: Thaw`);
  const own = lastJson(process.execPath, [
    join(root, "test/bench/support/real-size-thaw.mjs"),
    JSON.stringify({ folder, golden, backend, batchFile, exportFolder }),
  ]);
  log(`${model}: transformers`);
  const peer = oracle("train", folder, batchFile);
  const read = oracle("load", exportFolder);
  return {
    model,
    backend,
    plan_s: planSeconds,
    open_s: own.openSeconds,
    losses: own.losses,
    peer_losses: peer.losses,
    loss_difference: Math.max(...own.losses.map((loss, step) => Math.abs(loss - peer.losses[step]))),
    step_ms: own.stepMs,
    peer_step_ms: peer.step_ms,
    time_ratio: own.stepMs / peer.step_ms,
    peak_mb: own.peakMegabytes,
    peer_peak_mb: peer.peak_mb,
    export_keys_wrong: Object.values(read).flat().length,
  };
}

function lastJson(command, words) {
  return JSON.parse(spawn(command, words).trim().split("\n").at(-1));
}

function spawn(command, words) {
  const { status, stdout, stderr } = spawnSync(command, words, { encoding: "utf8", maxBuffer: 2 ** 26 });
  if (status !== 0) throw new Error(`${command} ${words[0]} failed: ${stderr.slice(-2000)}`);
  return stdout;
}
