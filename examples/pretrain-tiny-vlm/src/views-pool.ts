import { Worker } from "node:worker_threads";
import type { Rasters } from "./rasters.js";
import { makeViews, type ViewsJob } from "./views.js";

/** Makes batches of views, on worker threads or in place. */
export interface ViewsPool {
  make(job: ViewsJob): Promise<Float32Array>;
  /** How many jobs are worth asking for at once. */
  readonly parallelism: number;
  close(): Promise<void>;
}

/** A pool of `threads` worker threads; with 0 the work is done in place. Close it. */
export function openViewsPool(rasters: Rasters, threads: number): ViewsPool {
  if (threads === 0)
    return { make: (job) => Promise.resolve(makeViews(rasters, job)), parallelism: 1, close: () => Promise.resolve() };
  const lanes = Array.from({ length: threads }, () => openLane(rasters));
  let next = 0;
  return {
    make: (job) => {
      next = (next + 1) % lanes.length;
      return (lanes[next] as Lane).make(job);
    },
    parallelism: 2 * threads,
    close: async () => {
      await Promise.all(lanes.map((lane) => lane.close()));
    },
  };
}

interface Lane {
  make(job: ViewsJob): Promise<Float32Array>;
  close(): Promise<unknown>;
}

/** A thread answers its jobs in order. */
function openLane({ size, bytes }: Rasters): Lane {
  const worker = new Worker(new URL("./views-worker.js", import.meta.url), { workerData: { size, bytes } });
  const waiting: { resolve(views: Float32Array): void; reject(error: unknown): void }[] = [];
  worker.on("message", (views: Float32Array) => waiting.shift()?.resolve(views));
  worker.on("error", (error) => {
    for (const job of waiting.splice(0)) job.reject(error);
  });
  return {
    make: (job) =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        worker.postMessage(job);
      }),
    close: () => worker.terminate(),
  };
}
