import { join } from "node:path";
import { halfCheckpoints, resultOf, runChild, runIn } from "./support/process.mjs";

export const about = "Runs are killed in a step, in a save, while they resume; alone, with adapters, stages, a cache.";
export const count = 100;
export const timeoutMs = 600_000;

const KINDS = ["plain", "lora", "cache", "stages"];
const MOST_KILLS = 3;

/** What each kind of run gives that nobody kills; made when it is first needed. */
export async function setUp(folder) {
  const wanted = new Map();
  return {
    wanted: (kind) => {
      if (!wanted.has(kind)) wanted.set(kind, whole(kind, join(folder, `whole-${kind}`)));
      return wanted.get(kind);
    },
  };
}

async function whole(kind, output) {
  const { code, err } = await runChild({ kind, output });
  if (code !== 0) throw new Error(`the run without a kill failed: ${err}`);
  return resultOf(await runIn(output));
}

export async function attempt({ wanted }, { random, index, folder }) {
  const kind = KINDS[index % KINDS.length];
  const output = join(folder, "runs");
  const notes = [];
  for (let kills = 0; ; kills++) {
    const resume = await resumable(output);
    const at = {
      event: random.pick(["step", "saving", "restored", "step"]),
      left: random.below(6),
      delayMs: random.below(40),
    };
    const ended = await runChild({ kind, output, ...resume }, { onEvent: kills < MOST_KILLS ? killer(at) : undefined });
    notes.push(`${kind} ${JSON.stringify(resume)} killed at ${JSON.stringify(at)}`);
    const run = await runIn(output);
    const half = run === undefined ? [] : await halfCheckpoints(run);
    if (half.length > 0) return { outcome: "silent", note: `${notes.join("; ")}: half ${half.join(", ")}` };
    if (ended.signal === "SIGKILL") continue;
    if (ended.code !== 0) return { outcome: "lost", note: `${notes.join("; ")}: ${ended.last?.message ?? ended.err}` };
    const isEqual = (await resultOf(run)) === (await wanted(kind));
    return isEqual ? { outcome: "survived" } : { outcome: "silent", note: `${notes.join("; ")}: another result` };
  }
}

/** Where a killed run goes on; one that had saved nothing begins anew. */
async function resumable(output) {
  const run = await runIn(output);
  if (run === undefined) return {};
  const { readdir } = await import("node:fs/promises");
  const names = await readdir(run, { recursive: true });
  return names.some((name) => /step-\d+\/state\.json$/.test(name)) ? { resume: run } : {};
}

/** Kills at the event that is due, some milliseconds later. */
function killer({ event, left, delayMs }) {
  let seen = 0;
  return (said, running) => {
    if (said.event !== event || seen++ !== left) return;
    setTimeout(() => running.kill("SIGKILL"), delayMs);
  };
}
