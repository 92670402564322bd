import { createServer } from "node:http";
import { mkdirSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { thaw } from "../../test-support/thaw.js";
import { enterWorkFolder, type WorkFolder } from "../../test-support/work-folder.js";

let work: WorkFolder;
beforeEach(() => {
  work = enterWorkFolder("thaw-track-");
});
afterEach(() => work.leave());

it("sends what waits, says how much, and ends with 1 where something is left", async () => {
  const asked: string[] = [];
  let status = 503;
  const server = createServer((request, response) => {
    asked.push(request.url!);
    response.statusCode = status;
    response.end("{}");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  mkdirSync("run/trackers/mlflow", { recursive: true });
  writeFileSync("run/plan.json", "{}");
  writeFileSync(
    "run/config.json",
    JSON.stringify({ model: "./m", trackers: [{ type: "mlflow", url }, { type: "csv" }] }),
  );
  writeFileSync("run/trackers/mlflow/mlflow.json", JSON.stringify({ runId: "r", artifactUri: "s3://x" }));
  writeFileSync("run/trackers/mlflow/outbox.jsonl", `${JSON.stringify({ kind: "again" })}\n`);
  try {
    const refused = await thaw("track", "run");
    expect(refused.code).toBe(1);
    expect(refused.out).toContain("mlflow: 0 sent, 1 still waiting: MLflow at");
    status = 200;
    expect(await thaw("track", "run")).toMatchObject({ code: 0, out: "mlflow: 1 sent, nothing is left." });
    expect(await thaw("track", "run")).toMatchObject({ code: 0, out: "mlflow: nothing waits." });
    expect(asked).toEqual(Array<string>(2).fill("/api/2.0/mlflow/runs/update"));
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
