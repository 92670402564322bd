import { spawn } from "node:child_process";
import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { follow, halfCheckpoints, resultOf, runIn } from "./support/process.mjs";

export const about = "`thaw train` is ended by signals: of the keyboard, of the terminal, of a scheduler, one or two.";
export const count = 26;
export const timeoutMs = 600_000;

const bin = fileURLToPath(new URL("../../packages/cli/bin/thaw.js", import.meta.url));
const checkpoint = fileURLToPath(new URL("../../test/fixtures/goldens/llava", import.meta.url));
const CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, SIGQUIT: 131 };
/** One signal, or two that come close. */
const SIGNALS = [
  ["SIGINT"],
  ["SIGTERM"],
  ["SIGHUP"],
  ["SIGQUIT"],
  ["SIGHUP", "SIGHUP"],
  ["SIGTERM", "SIGTERM"],
  ["SIGINT", "SIGINT"],
];
const CONFIG = `model: ${checkpoint}
data: { train: ./train.jsonl, evaluation: ./held.jsonl, captions: false, workers: 0 }
freeze: { train_mm_proj_only: true }
training: { micro_batch_size: 1, learning_rate: 1e-3, max_steps: 12, evaluate_every_steps: 4 }
backend: wasm
`;

export async function setUp(folder) {
  await prepare(folder);
  const { code, err } = await thaw(folder, []);
  if (code !== 0) throw new Error(`the run without a signal failed: ${err}`);
  return { wanted: await resultOf(await runIn(join(folder, "runs"))) };
}

async function prepare(folder) {
  for (const name of ["image0.png", "image1.png"]) await cp(join(checkpoint, name), join(folder, name));
  const line = (index) => JSON.stringify({ image: `image${index}.png`, caption: "a cat" });
  await writeFile(join(folder, "train.jsonl"), [0, 1, 1, 0].map(line).join("\n"));
  await writeFile(join(folder, "held.jsonl"), line(0));
  await writeFile(join(folder, "thaw.config.yaml"), CONFIG);
}

function thaw(folder, args, onEvent = () => {}) {
  return follow(spawn(process.execPath, [bin, "train", "--json", "--quiet", ...args], { cwd: folder }), onEvent);
}

export async function attempt({ wanted }, { random, index, folder }) {
  await prepare(folder);
  const signals = SIGNALS[index % SIGNALS.length];
  const at = {
    event: random.pick(["planned", "started", "step", "evaluated", "checkpoint"]),
    delayMs: random.below(30),
  };
  const ended = await thaw(folder, [], sender(signals, at, random.below(50)));
  const what = `${signals.join(" ")} at ${JSON.stringify(at)}`;
  const run = await runIn(join(folder, "runs"));
  if (run === undefined) return { outcome: "lost", note: `${what}: there is no run, ${ended.code}: ${ended.err}` };
  if ((await halfCheckpoints(run)).length > 0) return { outcome: "silent", note: `${what}: a half checkpoint` };
  const isOver = ended.code === 0;
  if (!isOver && ended.code !== CODES[signals[0]])
    return { outcome: "crashed", note: `${what}: ${ended.code} ${ended.err}` };
  // A second Ctrl-C ends at once, with what was saved until then
  if (!isOver && (signals.join() !== "SIGINT,SIGINT" || ended.err.includes("a checkpoint is saved"))) {
    const rest = await thaw(folder, ["--resume", run]);
    if (rest.code !== 0) return { outcome: "lost", note: `${what}: ${rest.err}` };
  } else if (!isOver) return { outcome: "survived" };
  return (await resultOf(run)) === wanted
    ? { outcome: "survived" }
    : { outcome: "silent", note: `${what}: another result` };
}

function sender(signals, { event, delayMs }, betweenMs) {
  let isSent = false;
  return async (said, running) => {
    if (isSent || said.event !== event) return;
    isSent = true;
    await wait(delayMs);
    for (const signal of signals) {
      running.kill(signal);
      await wait(betweenMs);
    }
  };
}
