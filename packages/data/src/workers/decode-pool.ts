import { availableParallelism } from "node:os";
import type { Piscina } from "piscina";
import { type DecodeReply, type DecodeTask, runDecodeTask } from "./decode-task.js";
import { workerFailed } from "../errors/files.js";
import { workerModuleUrl } from "./worker-module.js";

/** Threads that decode items. */
export interface DecodePool {
  /** @throws THAW_DATA_WORKER when a worker cannot start or dies; a bad item is a reply, not a rejection. */
  run(task: DecodeTask): Promise<DecodeReply>;
  /** Ends the threads once every holder has released the pool. Safe to call twice. */
  release(): Promise<void>;
}

interface SharedPool {
  holders: number;
  readonly threads: Promise<Piscina>;
}

const shared = new Map<number, SharedPool>();

/** Starts no thread by itself: they start with the first task and end after ten idle seconds. */
async function createThreads(workers: number): Promise<Piscina> {
  const { Piscina } = await import("piscina");
  return new Piscina({
    filename: workerModuleUrl(
      new URL(import.meta.url.endsWith(".ts") ? "decode-worker.ts" : "decode-worker.js", import.meta.url).href,
    ),
    minThreads: 0,
    maxThreads: workers,
    idleTimeout: 10_000,
    execArgv: [],
    recordTiming: false,
    // One image is read and decoded by libvips while another is resized.
    concurrentTasksPerWorker: 2,
  });
}

/** min(2, cores - 1), at least 1: sharp and PIL-exact resizing need little beside a training run. */
export function defaultWorkers(): number {
  return Math.max(1, Math.min(2, availableParallelism() - 1));
}

/**
 * A pool of `workers` threads, shared by all that ask for the same number. 0 runs every task on the calling thread.
 * Every holder must `release` it.
 */
export function acquireDecodePool(workers: number = defaultWorkers()): DecodePool {
  if (workers === 0) return { run: runDecodeTask, release: () => Promise.resolve() };
  let pool = shared.get(workers);
  if (pool === undefined) {
    pool = { holders: 0, threads: createThreads(workers) };
    shared.set(workers, pool);
  }
  const held = pool;
  held.holders += 1;
  let released = false;
  return {
    run: async (task) => {
      try {
        return (await (await held.threads).run(task)) as DecodeReply;
      } catch (cause) {
        throw workerFailed(task.processor?.module ?? "of sizes", cause);
      }
    },
    release: async () => {
      if (released) return;
      released = true;
      held.holders -= 1;
      if (held.holders > 0) return;
      shared.delete(workers);
      await (await held.threads).destroy();
    },
  };
}
