/**
 * Trains inside a web server: `POST /jobs` starts one, `GET /jobs/:id` says how far it is, `DELETE /jobs/:id` ends it.
 * `node examples/web-server/server.mjs [port]`.
 */
import { createServer } from "node:http";
import { backendGpu } from "@thaw/backend-gpu";
import { API_VERSION, Trainer } from "@thaw/core";
import { openSource } from "@thaw/data";
import { openModel, openProcessor } from "@thaw/models";
import freezePolicy from "@thaw/plugin-freeze-policy";
import projectorOnly from "@thaw/plugin-projector-only";
import { fileURLToPath } from "node:url";

const checkpoint = fileURLToPath(new URL("../emoji-captioner/checkpoint", import.meta.url));
const baseFolder = fileURLToPath(new URL("../..", import.meta.url));

/** A plugin that keeps a job up to date: whoever asks for it sees the last whole step. */
function progressOf(job) {
  const name = "JobProgress";
  return {
    name,
    apiVersion: API_VERSION,
    apply({ hooks }) {
      hooks.afterStep.tap(name, ({ step, totalSteps, loss }) => {
        Object.assign(job, { step: step + 1, totalSteps, loss });
      });
    },
  };
}

/** Trains one job; what it opens is closed however it ends. */
async function train(job, { steps = 20, learningRate = 1e-2, seed = 1 }, signal) {
  const processor = await openProcessor(checkpoint);
  const source = { type: "iconify", set: "noto", limit: 32 };
  const data = await openSource(source, { processor, baseFolder, role: "train", workers: 0 });
  try {
    const summary = await new Trainer({
      model: await openModel(checkpoint, { initialize: ["multi_modal_projector"], seed }),
      data: { train: data },
      plugins: [freezePolicy({ trainMmProjOnly: true }), projectorOnly(), backendGpu("wasm"), progressOf(job)],
      training: { maxSteps: steps, microBatchSize: 8, learningRate },
      seed,
      signal,
    }).run();
    job.state = summary.isInterrupted ? "cancelled" : "done";
  } finally {
    await data.close();
  }
}

const readJson = async (request) => {
  let text = "";
  for await (const part of request) text += part;
  return text === "" ? {} : JSON.parse(text);
};

/** A server with its jobs; `close` cancels what still trains and waits for it. */
export function jobServer() {
  const jobs = new Map();
  const answer = (response, status, body) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
  const start = (options) => {
    const cancel = new AbortController();
    const job = { id: String(jobs.size + 1), state: "running", step: 0 };
    const ended = train(job, options, cancel.signal).catch((error) => {
      Object.assign(job, { state: "failed", error: { code: error.code, message: error.message } });
    });
    jobs.set(job.id, { job, cancel, ended });
    return job;
  };
  const handle = async (request, response) => {
    const [, collection, id] = new URL(request.url, "http://server").pathname.split("/");
    if (collection !== "jobs") return answer(response, 404, { error: "There is /jobs alone." });
    if (request.method === "POST") return answer(response, 202, start(await readJson(request)));
    const known = jobs.get(id);
    if (known === undefined) return answer(response, 404, { error: `There is no job ${id}.` });
    if (request.method === "DELETE") known.cancel.abort("somebody cancelled it");
    return answer(response, 200, known.job);
  };
  const server = createServer((request, response) => {
    handle(request, response).catch((error) => answer(response, 400, { error: error.message }));
  });
  return {
    server,
    async close() {
      for (const { cancel } of jobs.values()) cancel.abort("the server ends");
      await Promise.all([...jobs.values()].map(({ ended }) => ended));
      await new Promise((done) => server.close(done));
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { server } = jobServer();
  server.listen(Number(process.argv[2] ?? 8080), "127.0.0.1", () => {
    process.stdout.write(`Jobs at http://127.0.0.1:${server.address().port}/jobs\n`);
  });
}
