import { parentPort, workerData } from "node:worker_threads";
import type { Rasters } from "./rasters.js";
import { makeViews, type ViewsJob } from "./views.js";

/** Body of a worker thread: jobs come in, batches of views go out, in order. */
const rasters = workerData as Pick<Rasters, "size" | "bytes">;
parentPort?.on("message", (job: ViewsJob) => {
  const views = makeViews(rasters, job);
  parentPort?.postMessage(views, [views.buffer]);
});
