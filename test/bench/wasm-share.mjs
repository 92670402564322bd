/**
 * How much of WebAssembly's matrix rate a whole projector-only step keeps: loading, norms, attention, loss and update
 * included.
 *
 * npm run bench -- wasm-share [--json] [--size S] [--steps 3] [--backend wasm]
 *
 * `share`: multiply-adds that the step's products need (twice that many operations, by hand from the shapes: products
 * with weights, attention, the vocabulary on supervised rows) over the fastest step's time, against `plainGflops`,
 * TensorFlow.js' own plain product of matrices of that size in the same process. `ownGflops`: Thaw's product with the
 * weight as stored, turned.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runThaw } from "./peer.mjs";
import { rounded } from "./support/numbers.mjs";
import { DEFAULT_SHAPE, productWork } from "./support/peer-shapes.mjs";

export const builds = ["models", "core", "backend-gpu", "plugin-freeze-policy", "plugin-projector-only"];

export async function* run({ arguments: given, log }) {
  const { values } = parseArgs({
    args: given,
    options: {
      size: { type: "string", default: "S" },
      steps: { type: "string", default: "3" },
      backend: { type: "string", default: "wasm" },
    },
  });
  const options = {
    size: values.size,
    backend: values.backend,
    steps: Number(values.steps),
    warmup: 1,
    shape: DEFAULT_SHAPE,
  };
  for (const mode of ["projector", "projector_cached"]) {
    const before = rates(options);
    const line = await runThaw({ ...options, mode });
    const after = rates(options);
    const plain = Math.max(before.plain, after.plain);
    const work = productWork(values.size, { ...DEFAULT_SHAPE, isCached: mode === "projector_cached" });
    const gflops = (2 * work) / line.step_ms_min / 1e6;
    log(`${mode}: ${line.step_ms_min.toFixed(0)} ms per step, ${gflops.toFixed(1)} of ${plain.toFixed(1)} GFLOP/s`);
    yield {
      mode,
      size: values.size,
      backend: values.backend,
      share: rounded(gflops / plain),
      stepMs: rounded(line.step_ms_min, 4),
      stepGflop: rounded((2 * work) / 1e9),
      gflops: rounded(gflops),
      plainGflops: rounded(plain),
      ownGflops: rounded(Math.max(before.own, after.own)),
    };
  }
}

/** In a process of its own: the fastest of many products, plain by TensorFlow.js and by Thaw with the weight turned. */
function rates({ size, backend }) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [fileURLToPath(new URL("support/product-rates.mjs", import.meta.url)), JSON.stringify({ size, backend })],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`The products could not be timed: ${stderr.trim().split("\n").at(-1)}`);
  return JSON.parse(stdout.trim().split("\n").at(-1));
}
