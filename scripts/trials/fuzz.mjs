import { once } from "node:events";
import { Worker } from "node:worker_threads";

export const about = "Files of others, changed at random: whatever reads them says what is wrong, and ends.";
export const count = 10_000;
/** Inputs of one reader that are read one after the other. */
export const batch = 20;
export const timeoutMs = 24 * 3_600_000;

/** What one file may take until whoever reads it counts as hanging. */
const LIMIT_MS = 30_000;
const LOOK_MS = 1000;

export async function setUp(folder, { part, seed }) {
  const started = await start();
  const names = part === undefined ? started.names : started.names.filter((name) => name === part);
  if (names.length === 0) throw new Error(`${part} is none of ${started.names.join(", ")}`);
  return { worker: started.worker, names, seed, now: new Int32Array(new SharedArrayBuffer(4)) };
}

async function start() {
  const worker = new Worker(new URL("support/fuzz-worker.mjs", import.meta.url), { stderr: true });
  const [{ names }] = await once(worker, "message");
  return { worker, names };
}

/** Reads a batch; outcomes of those that did not survive. */
export async function attempt(context, { index, folder, size }) {
  const name = context.names[Math.floor(index / batch) % context.names.length];
  const outcomes = [];
  for (let first = index; first < index + size;) {
    const { found, ended } = await readIn(context, { name, first, count: index + size - first, folder });
    for (const { index: at, outcome, note } of found) outcomes.push({ outcome, note: `${name} ${at}: ${note}` });
    if (ended === undefined) break;
    // What the thread had found before it ended is not known: its inputs are read again, without the last one
    await context.worker.terminate();
    Object.assign(context, { worker: (await start()).worker });
    const at = context.now[0];
    const before = await readIn(context, { name, first, count: at - first, folder });
    for (const { index: own, outcome, note } of before.found)
      outcomes.push({ outcome, note: `${name} ${own}: ${note}` });
    outcomes.push({ ...ended, note: `${name} ${at}: ${ended.note}` });
    first = at + 1;
  }
  return outcomes;
}

async function readIn({ worker, seed, now }, given) {
  now[0] = given.first;
  worker.postMessage({ ...given, seed, now });
  const end = new AbortController();
  const { signal } = end;
  const hung = new Promise((resolve) => {
    let [seen, since] = [now[0], Date.now()];
    const timer = setInterval(() => {
      if (now[0] !== seen) [seen, since] = [now[0], Date.now()];
      else if (Date.now() - since > LIMIT_MS) resolve({ outcome: "hung", note: `no end after ${LIMIT_MS} ms` });
    }, LOOK_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
  });
  const died = once(worker, "error", { signal }).then(([error]) => ({ outcome: "crashed", note: String(error) }));
  const answered = once(worker, "message", { signal }).then(([result]) => result);
  for (const one of [died, answered]) one.catch(() => undefined);
  const result = await Promise.race([answered, died, hung]);
  end.abort();
  if (result.broken !== undefined) throw new Error(result.broken);
  return result.found === undefined ? { found: [], ended: result } : result;
}

export async function tearDown({ worker }) {
  await worker.terminate();
}
