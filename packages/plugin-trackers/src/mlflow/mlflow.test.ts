import { once } from "node:events";
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import "@tensorflow/tfjs-backend-cpu";
import { setBackend } from "@tensorflow/tfjs-core";
import { picturePath, silentLogger, type EventImage, type RunEvent, type RunFacts, type RunSummary } from "@thaw/core";
import { trackerConformance } from "@thaw/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { trackers } from "../plugin.js";
import { mlflowTracker, sendMlflow } from "./mlflow-tracker.js";

/** What a server was asked, by path and body. */
const asked: { readonly path: string; readonly body: string; readonly authorization: string | undefined }[] = [];
let status = 200;
let artifactUri = "mlflow-artifacts:/0/r1/artifacts";
let runs: object[] = [];

/** An MLflow server as far as Thaw asks one. */
const server = createServer((request, response) => {
  void request.toArray().then((chunks: Buffer[]) => {
    const path = request.url!.replace(/^\/api\/2\.0\/(mlflow\/)?/, "");
    const { authorization } = request.headers;
    asked.push({ path, body: Buffer.concat(chunks).toString(), authorization });
    const isAbsent = status === 200 && path.startsWith("experiments/get-by-name");
    const answers: Readonly<Record<string, object>> = {
      "experiments/create": { experiment_id: "0" },
      "runs/search": { runs },
      "runs/create": { run: { info: { run_id: "r1", artifact_uri: artifactUri } } },
    };
    response.statusCode = isAbsent ? 404 : status;
    response.end(JSON.stringify(status === 200 ? (answers[path] ?? {}) : { message: "No." }));
  });
});

let folder = "";
beforeAll(async () => {
  await setBackend("cpu");
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(async () => {
  const run = await mkdtemp(join(tmpdir(), "thaw-mlflow-"));
  folder = join(run, "trackers", "mlflow");
  asked.length = 0;
  [status, runs, artifactUri] = [200, [], "mlflow-artifacts:/0/r1/artifacts"];
});
afterEach(() => rm(join(folder, "../.."), { recursive: true, force: true }));

const warnings: string[] = [];
const logger = { ...silentLogger, warn: (...given: readonly unknown[]) => void warnings.push(String(given.at(-1))) };
const config = { model: "m", training: { steps: 2, list: [1] }, $saved: { file: "x" } };
const open = (more: object = {}, step = 0) => {
  const facts = { name: "run-1", seed: 3, model: "m", config, runFolder: join(folder, "../..") } as RunFacts;
  return mlflowTracker({ url, experiment: "thaw", samples: true, ...more }, { facts, folder, step, logger });
};
const evaluated = (step: number, f1 = 0.5): RunEvent => ({
  event: "evaluated",
  step,
  epoch: 0,
  name: "held",
  metrics: { f1 },
});
const done: RunEvent = {
  event: "done",
  step: 2,
  summary: { isInterrupted: false, stopReason: "all is done" } as RunSummary,
};
const PICTURE: EventImage = { type: "image/png", bytes: Buffer.from([1, 2, 3]) };
const sample: RunEvent = {
  event: "sample",
  step: 2,
  name: "held",
  index: 4,
  id: "a/b",
  texts: { answer: "x" },
  numbers: {},
  images: [PICTURE],
};
const paths = (): readonly string[] => asked.map(({ path }) => path.split("?")[0]!);
const bodies = (path: string): readonly Record<string, unknown>[] =>
  asked.filter((one) => one.path === path).map(({ body }) => JSON.parse(body) as Record<string, unknown>);
const begin = ["experiments/get-by-name", "experiments/create", "runs/search", "runs/create", "runs/log-batch"];

describe("mlflow", () => {
  it("makes a run with its parameters, and sends numbers, samples and how it ended", async () => {
    const tracker = await open({ token: "secret" });
    await mkdir(join(folder, "../../samples"));
    await writeFile(join(folder, "../..", picturePath(PICTURE)), PICTURE.bytes);
    for (const event of [evaluated(1), evaluated(2, Number.NaN), sample, done]) await tracker.record(event);
    await tracker.close?.();
    const root = "mlflow-artifacts/artifacts/0/r1/artifacts";
    const place = `${root}/samples/held/step-00000002/4-a_b`;
    const sent = paths().filter((path) => path !== "runs/log-batch");
    const artifacts = [`${root}/config.json`, `${place}.json`, `${place}-0.png`];
    expect(sent).toEqual([...begin.slice(0, 4), ...artifacts, "runs/update"]);
    expect(bodies("runs/create")).toMatchObject([{ experiment_id: "0", run_name: "run-1" }]);
    const batches = bodies("runs/log-batch");
    expect(batches[0]).toEqual({
      run_id: "r1",
      params: [
        { key: "model", value: "m" },
        { key: "training.steps", value: "2" },
        { key: "training.list.0", value: "1" },
      ],
    });
    expect(batches.flatMap(({ metrics = [] }) => metrics)).toMatchObject([
      { key: "held/f1", value: 0.5, step: 1 },
      { key: "held/f1", value: "NaN", step: 2 },
    ]);
    expect(bodies("runs/update")).toMatchObject([{ run_id: "r1", status: "FINISHED" }]);
    expect(new Set(asked.map(({ authorization }) => authorization))).toEqual(new Set(["Bearer secret"]));
    expect(await readFile(join(folder, "outbox.jsonl"), "utf8")).not.toContain("secret");
  });

  it("writes down what a server does not take, and sends it once later: in order, nothing twice", async () => {
    status = 503;
    warnings.length = 0;
    const tracker = await open();
    for (const event of [evaluated(1), evaluated(2)]) await tracker.record(event);
    await tracker.close?.();
    expect(warnings).toHaveLength(2);
    expect(warnings[1]).toMatch(/^3 messages to MLflow could not be sent: .* 503: No\..*npx thaw track/);
    // As a process leaves it that dies while it writes
    await appendFile(join(folder, "outbox.jsonl"), '{"kind":"metr');
    const resumed = await open({}, 1);
    await resumed.record(evaluated(2));
    status = 200;
    asked.length = 0;
    await resumed.record(evaluated(3));
    await resumed.close?.();
    const later = bodies("runs/log-batch").flatMap(({ metrics = [] }) => metrics as { readonly step: number }[]);
    expect(later.map(({ step }) => step)).toEqual([1, 2, 3]);
    expect(paths().filter((path) => path === "runs/create")).toHaveLength(1);
    asked.length = 0;
    expect(await sendMlflow({ url, experiment: "thaw", samples: true }, { folder, logger })).toEqual({
      sent: 0,
      left: 0,
    });
    expect(asked).toEqual([]);
  });

  it("takes the run that an answer was lost of, and says where artifacts cannot go", async () => {
    warnings.length = 0;
    runs = [{ info: { run_id: "r1", artifact_uri: "s3://there" } }];
    await (await open()).close?.();
    expect(paths()).toEqual(begin.filter((path) => path !== "runs/create"));
    expect(warnings).toEqual([expect.stringContaining("MLflow keeps artifacts at s3://there")]);
  });
});

describe("the tracker mlflow", () => {
  for (const { name, run } of trackerConformance(trackers, { type: "mlflow", url })) it(name, run);
});
