import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { freezePolicy } from "../../packages/plugin-freeze-policy/dist/index.js";
import { projectorOnly } from "../../packages/plugin-projector-only/dist/index.js";
import { runTiny, tinyTrainerOptions } from "../../packages/testing/dist/index.js";

export const about =
  "Many steps with evaluations, checkpoints and a cache: tensors, memory, open files and folders stay as many.";
/** Of 200 steps each. */
export const count = 100;
export const timeoutMs = 300_000;

const STEPS = 200;
const MB = 2 ** 20;
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");

export async function setUp(folder) {
  await tf.setBackend("cpu");
  return { cache: join(folder, "cache"), first: undefined };
}

export async function attempt(context, { folder }) {
  const training = { maxSteps: STEPS, evaluateEverySteps: 20, saveEverySteps: 10, keep: 2 };
  const plugins = [freezePolicy({ trainMmProjOnly: true }), projectorOnly({ featureCache: { disk: context.cache } })];
  const halfway = [];
  const watch = {
    name: "Watch",
    apiVersion: 1,
    apply: ({ hooks }) =>
      hooks.afterStep.tap("Watch", ({ step }) => {
        if (step === 20 || step === STEPS - 1)
          halfway.push({ tensors: tf.memory().numTensors, bytes: tf.memory().numBytes });
      }),
  };
  const output = join(folder, "runs");
  const { steps } = await runTiny(tinyTrainerOptions({ output, plugins: [...plugins, watch], training }));
  if (steps !== STEPS) return { outcome: "lost", note: `${steps} steps were made` };
  const [early, late] = halfway;
  if (late.tensors > early.tensors || late.bytes > early.bytes * 1.1)
    return { outcome: "lost", note: `tensors grew from ${JSON.stringify(early)} to ${JSON.stringify(late)}` };
  const [run] = await readdir(output);
  const kept = await readdir(join(output, run, "checkpoints"));
  if (kept.length > 2) return { outcome: "lost", note: `${kept.length} checkpoints are kept` };
  const now = await measure();
  // The first runs fill what is kept for all
  if (context.first === undefined) context.first = now;
  const { first } = context;
  if (now.tensors !== first.tensors)
    return { outcome: "lost", note: `${now.tensors} tensors, ${first.tensors} before` };
  if (now.files > first.files + 2) return { outcome: "lost", note: `${now.files} open files, ${first.files} before` };
  if (now.folders > first.folders)
    return { outcome: "lost", note: `${now.folders} temporary folders, ${first.folders} before` };
  if (now.heap > first.heap + 60 * MB)
    return { outcome: "lost", note: `${now.heap} bytes of heap, ${first.heap} before` };
  return { outcome: "survived" };
}

/** What this process holds. Folders of other processes that begin alike are not its own. */
async function measure() {
  collect();
  const files = (await readdir("/proc/self/fd").catch(() => [])).length;
  const own = (await readdir(tmpdir())).filter(
    (name) => /^thaw-(?!trial-)/.test(name) && name.includes(`-${process.pid}-`),
  );
  return { tensors: tf.memory().numTensors, heap: process.memoryUsage().heapUsed, files, folders: own.length };
}
