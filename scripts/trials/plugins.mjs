import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { spawn } from "node:child_process";
import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ThawError, Trainer } from "../../packages/core/dist/index.js";
import { tinyTrainerOptions } from "../../packages/testing/dist/index.js";
import { follow } from "./support/process.mjs";

export const about =
  "A plugin misbehaves in every hook in every way: it is named, nothing leaks, nothing passes for success.";
export const timeoutMs = 120_000;

const bin = fileURLToPath(new URL("../../packages/cli/bin/thaw.js", import.meta.url));
const checkpoint = fileURLToPath(new URL("../../test/fixtures/goldens/llava", import.meta.url));
const NAME = "Misbehaver";

/** In this process; `given` is what the hook gave. */
const WRONG = {
  throws: () => {
    throw new Error("misbehaves");
  },
  "throws a text": () => {
    throw "misbehaves";
  },
  "throws nothing": () => {
    throw undefined;
  },
  "rejects later": async () => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    throw new Error("misbehaves");
  },
  "gives null": () => null,
  "gives 42": () => 42,
  "gives an object": () => ({}),
  "gives a list": () => [1],
  "gives nothing": () => undefined,
};
/** In a process of their own: they end it, or never end. */
const FATAL = {
  exits: "process.exit(0)",
  "exits later": "setTimeout(() => process.exit(0), 0)",
  "never settles": "await new Promise(() => {})",
  "throws in a timer": "setTimeout(() => { throw new Error('misbehaves'); }, 0)",
  "rejects unseen": "void Promise.reject(new Error('misbehaves'))",
};

/** Hooks whose results nobody reads: what they give is nobody's matter. */
const READ = [
  "parameters",
  "plan",
  "parameterGroups",
  "findings",
  "resolveBackend",
  "resolveOptimizer",
  "batch",
  "scope",
  "loss",
  "gradients",
  "shouldStop",
  "checkpoint",
  "exported",
];
/** Reached by a run that fails, or by an export, alone. */
const ELSEWHERE = ["failed", "exported", "restored"];

/** Reached by a run of several processes alone. */
const TOGETHER = "resolveEnsemble";
const hooks = Object.entries(new Trainer(tinyTrainerOptions()).hooks)
  .filter(([name]) => name !== TOGETHER)
  .map(([name, hook]) => ({
    name,
    isAsync: "promise" in hook && hook.constructor.name.startsWith("Async"),
  }));
const here = hooks.flatMap((hook) => Object.keys(WRONG).map((kind) => ({ hook, kind })));
const apart = hooks
  .filter(({ name }) => !ELSEWHERE.includes(name))
  .flatMap((hook) => Object.keys(FATAL).map((kind) => ({ hook, kind })));
const CASES = mixed(here, apart);
export const count = CASES.length;

/** Both lists, the second spread over the first. */
function mixed(first, second) {
  const every = Math.max(1, Math.floor(first.length / second.length));
  const result = [];
  let next = 0;
  for (const [index, one] of first.entries()) {
    result.push(one);
    if (index % every === every - 1 && next < second.length) result.push(second[next++]);
  }
  return [...result, ...second.slice(next)];
}

export async function setUp() {
  await tf.setBackend("cpu");
  return {};
}

export async function attempt(_, { index, folder }) {
  const one = CASES[index % CASES.length];
  const result = await (one.kind in WRONG ? inProcess(one, folder) : inOwn(one, folder));
  return result === undefined
    ? { outcome: "survived" }
    : { ...result, note: `${one.hook.name} ${one.kind}: ${result.note}` };
}

function tapWith({ name, isAsync }, work) {
  return {
    name: NAME,
    apiVersion: 1,
    apply: ({ hooks: all }) =>
      isAsync ? all[name].tapPromise(NAME, async (...given) => work(...given)) : all[name].tap(NAME, work),
  };
}

async function inProcess({ hook, kind }, folder) {
  const before = tf.memory().numTensors;
  let isReached = false;
  const plugin = tapWith(hook, (...given) => {
    isReached = true;
    return WRONG[kind](...given);
  });
  const fails = {
    name: "Fails",
    apiVersion: 1,
    apply: ({ hooks: all }) => {
      if (hook.name === "failed")
        all.beforeRun.tap("Fails", () => {
          throw new Error("first");
        });
    },
  };
  const training = { maxSteps: 3, saveEverySteps: 1, evaluateEverySteps: 1 };
  const options = { output: join(folder, "runs"), training, plugins: [plugin, fails] };
  if (hook.name === "restored") {
    const run = await new Trainer(tinyTrainerOptions({ ...options, plugins: [] })).run();
    options.resume = { from: join(run.runFolder, "checkpoints/step-2") };
  }
  let error;
  try {
    const trainer = new Trainer(tinyTrainerOptions(options));
    if (hook.name === "exported") await exporting(trainer, folder);
    else await trainer.run();
  } catch (thrown) {
    error = thrown;
  }
  const left = tf.memory().numTensors - before;
  if (left !== 0) return { outcome: "lost", note: `${left} tensors are left` };
  if (!isReached) return hook.name === "exported" ? undefined : { outcome: "silent", note: "the tap was never called" };
  if (hook.name === "failed")
    return error?.message === "first" || error?.details?.plugin === "Fails"
      ? undefined
      : { outcome: "silent", note: String(error) };
  const isHarmless = kind.startsWith("gives") && !(READ.includes(hook.name) && isWrong(hook.name, kind));
  if (error === undefined) return isHarmless ? undefined : { outcome: "silent", note: "the run went on" };
  if (!(error instanceof ThawError)) return { outcome: "crashed", note: error?.stack ?? String(error) };
  const { plugin: named, hook: where } = error.details;
  return named === NAME && where === hook.name
    ? undefined
    : { outcome: "crashed", note: `not named: ${error.message}` };
}

function isWrong(hook, kind) {
  return (
    !(kind === "gives nothing" && ["resolveBackend", "resolveOptimizer", "shouldStop"].includes(hook)) &&
    !(hook === "checkpoint" && kind === "gives an object")
  );
}

async function exporting(trainer, folder) {
  const session = await trainer.open();
  try {
    await session.save?.(join(folder, "out"));
  } finally {
    await session.close();
  }
}

async function inOwn({ hook, kind }, folder) {
  await cp(join(checkpoint, "image0.png"), join(folder, "image0.png"));
  await writeFile(join(folder, "train.jsonl"), JSON.stringify({ image: "image0.png", caption: "a disc" }));
  const body = FATAL[kind];
  const { name, isAsync } = hook;
  // A hook that is sync cannot wait for what never settles
  if (!isAsync && kind === "never settles") return undefined;
  const isBail = ["resolveBackend", "resolveOptimizer", "shouldStop"].includes(name);
  const rest = isBail ? "" : "return given;";
  // The first answer of such a hook is the last: whoever comes behind the built-in plugins is not asked
  const place = `{ name: "${NAME}", stage: ${isBail ? -1000 : 0} }`;
  const tap = isAsync
    ? `tapPromise(${place}, async (given) => { ${body}; ${rest} })`
    : `tap(${place}, (given) => { ${body}; ${rest} })`;
  const plugin = `{ name: "misbehaver", apiVersion: 1, apply({ hooks }) { hooks.${name}.${tap}; } }`;
  await writeFile(join(folder, "misbehaver.mjs"), `export default ${plugin};\n`);
  await writeFile(
    join(folder, "thaw.config.yaml"),
    `model: ${checkpoint}\n` +
      "data: { train: ./train.jsonl, evaluation: { held: ./train.jsonl }, captions: false, workers: 0 }\n" +
      "plugins: [./misbehaver.mjs]\nbackend: wasm\nfreeze: { train_mm_proj_only: true }\noutput: ./runs\n" +
      "training: { max_steps: 3, micro_batch_size: 1, save_every_steps: 1 }\n",
  );
  const { code, err } = await follow(spawn(process.execPath, [bin, "train", "--quiet"], { cwd: folder }), () => {});
  if (/^\s+at .*:\d+:\d+\)?$/m.test(err)) return { outcome: "crashed", note: err };
  if (code === 0) return { outcome: "silent", note: "exit code 0" };
  if (kind === "exits" && !err.includes(NAME)) return { outcome: "crashed", note: `not named: ${err}` };
  return code === 1 ? undefined : { outcome: "crashed", note: `${code}: ${err}` };
}
