/**
 * What freezing saves in the quickstart: `examples/emoji-captioner` for a few steps without evaluations, then the same
 * data with everything trainable, in one process. Medians; the first step of either side is not timed.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const builds = ["cli"];

const root = fileURLToPath(new URL("../..", import.meta.url));
const STEPS = 60;
const COMPARED_STEPS = 5;

export async function run({ log }) {
  const output = mkdtempSync(join(tmpdir(), "thaw-bench-"));
  try {
    const settings = [`training.max_steps=${STEPS}`, "data.evaluation=null", `output=${output}`].flatMap((setting) => [
      "--set",
      setting,
    ]);
    const command = [
      join(root, "packages/cli/bin/thaw.js"),
      "train",
      join(root, "examples/emoji-captioner"),
      "--compare-all-trainable",
      `${COMPARED_STEPS}`,
      "--quiet",
      "--json",
      ...settings,
    ];
    log(`${STEPS} steps of the quickstart, then ${COMPARED_STEPS} with everything trainable.`);
    const { stdout } = await promisify(execFile)(process.execPath, command, { maxBuffer: 1 << 26 });
    const { frozen, allTrainable } = JSON.parse(stdout.trim().split("\n").at(-1)).saving;
    return {
      frozenStepMs: frozen.stepMs,
      allTrainableStepMs: allTrainable.stepMs,
      speedup: allTrainable.stepMs / frozen.stepMs,
      frozenPeakBytes: frozen.peakBytes,
      allTrainablePeakBytes: allTrainable.peakBytes,
      peakRatio: frozen.peakBytes / allTrainable.peakBytes,
      frozenTrainedParameters: frozen.trainedParameters,
      allTrainableTrainedParameters: allTrainable.trainedParameters,
    };
  } finally {
    rmSync(output, { recursive: true, force: true });
  }
}
