import { once } from "node:events";
import { Worker } from "node:worker_threads";

export const about = "Files of others, changed at random: whatever reads them says what is wrong, and ends.";
export const count = 10_000;
export const timeoutMs = 40_000;

/** What one file may take until whoever reads it counts as hanging. */
const LIMIT_MS = 30_000;

export async function setUp() {
  return start();
}

async function start() {
  const worker = new Worker(new URL("support/fuzz-worker.mjs", import.meta.url), { stderr: true });
  const [{ names }] = await once(worker, "message");
  return { worker, names };
}

export async function attempt(context, { random, index, folder }) {
  const name = context.names[index % context.names.length];
  const seed = `${name} ${index} ${random.number()}`;
  const { worker } = context;
  worker.postMessage({ name, seed, folder });
  const end = new AbortController();
  const signal = end.signal;
  const wait = new Promise((resolve) => {
    const timer = setTimeout(() => resolve({ outcome: "hung", note: `no end after ${LIMIT_MS} ms` }), LIMIT_MS);
    signal.addEventListener("abort", () => clearTimeout(timer));
  });
  const died = once(worker, "error", { signal }).then(([error]) => ({ outcome: "crashed", note: String(error) }));
  const answered = once(worker, "message", { signal }).then(([result]) => result);
  for (const one of [died, answered]) one.catch(() => undefined);
  const result = await Promise.race([answered, died, wait]);
  end.abort();
  if (result.outcome === "survived") return result;
  if (result.outcome === "hung" || result.note?.startsWith("Error")) {
    await worker.terminate();
    Object.assign(context, await start());
  }
  return { ...result, note: `${name}, ${seed}: ${result.note}` };
}

export async function tearDown({ worker }) {
  await worker.terminate();
}
