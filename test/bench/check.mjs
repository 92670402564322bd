/**
 * How long `thaw check` takes, beside a bare Node: medians over several runs, of a config without findings on a small
 * LLaVA checkpoint. The bar is 1.5 times the time of `node -e 0` plus 0.5 s.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const builds = ["cli"];

const root = fileURLToPath(new URL("../..", import.meta.url));
const RUNS = 9;

export function run({ log }) {
  execFileSync(process.execPath, [join(root, "packages/cli/bundle.mjs")], { stdio: ["ignore", 2, 2] });
  const folder = mkdtempSync(join(tmpdir(), "thaw-bench-"));
  try {
    symlinkSync(join(root, "test/fixtures/goldens/llava"), join(folder, "checkpoint"));
    writeFileSync(
      join(folder, "thaw.yaml"),
      "model: ./checkpoint\nfreeze: { train_mm_proj_only: true }\ntraining: { epochs: 1 }\n",
    );
    const commands = {
      node: ["-e", "0"],
      check: [join(root, "packages/cli/bin/thaw.js"), "check", join(folder, "thaw.yaml")],
    };
    const times = { node: [], check: [] };
    // In turn, so that what else the machine does falls on both.
    for (let index = 0; index < RUNS; index++)
      for (const [name, parameters] of Object.entries(commands)) times[name].push(timed(parameters, folder));
    const nodeMs = median(times.node);
    const checkMs = median(times.check);
    const limitMs = 1.5 * nodeMs + 500;
    log(`Medians of ${RUNS} runs each.`);
    return {
      nodeMs: round(nodeMs),
      checkMs: round(checkMs),
      fastestCheckMs: round(Math.min(...times.check)),
      limitMs: round(limitMs),
      pass: checkMs <= limitMs,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function timed(parameters, cwd) {
  const start = performance.now();
  const { status } = spawnSync(process.execPath, parameters, { cwd, stdio: "ignore" });
  if (status !== 0) throw new Error(`node ${parameters.join(" ")} ended with ${status}.`);
  return performance.now() - start;
}

const median = (values) => values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)];
const round = (value) => Math.round(value);
