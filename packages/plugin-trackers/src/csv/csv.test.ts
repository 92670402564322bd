import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger, type MetricsLine, type RunFacts } from "@thaw/core";
import { afterEach, beforeEach, expect, it } from "vitest";
import { csvTracker } from "./csv-tracker.js";

let runFolder = "";
beforeEach(async () => {
  runFolder = await mkdtemp(join(tmpdir(), "thaw-csv-"));
});
afterEach(() => rm(runFolder, { recursive: true, force: true }));

const step = (number: number, more: object = {}): MetricsLine => ({
  event: "step",
  step: number,
  epoch: 0,
  loss: number / 3,
  gradientNorm: 1,
  learningRates: {},
  supervisedTokens: 1,
  tokens: 1,
  durationMs: 1,
  ...more,
});

it("has a row per line of metrics.jsonl, also where columns come late and where a run goes on", async () => {
  const folder = join(runFolder, "trackers", "csv");
  const open = (at: number) =>
    csvTracker({ facts: { runFolder } as unknown as RunFacts, folder, step: at, logger: silentLogger });
  const lines = [
    step(1),
    step(2, { metrics: { "a,b": Number.NaN } }),
    { event: "evaluated", step: 2, epoch: 0, name: "held", metrics: { f1: 0.5 } } as MetricsLine,
    step(3),
  ];
  // As a run that is further than its tracker
  await appendFile(join(runFolder, "metrics.jsonl"), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  const table = async (): Promise<readonly string[]> =>
    (await readFile(join(folder, "metrics.csv"), "utf8")).trimEnd().split("\n");
  const tracker = await open(0);
  for (const line of [...lines, { event: "warning", step: 3, text: "" } as const]) await tracker.record(line);
  expect(await table()).toEqual([
    'event,step,epoch,loss,gradient_norm,tokens_per_second,tokens,step_ms,"a,b",held/f1',
    "step,1,0,0.3333333333333333,1,1000,1,1,,",
    "step,2,0,0.6666666666666666,1,1000,1,1,NaN,",
    "evaluated,2,0,,,,,,,0.5",
    "step,3,0,1,1,1000,1,1,,",
  ]);
  await open(1);
  expect(await table()).toHaveLength(2);
});
