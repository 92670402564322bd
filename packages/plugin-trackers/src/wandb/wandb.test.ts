import { mkdtemp, readdir, readFile, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger, type RunFacts, type Tracker } from "@thaw/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FILE_HEADER, readRecords, recordBytes } from "./datastore.js";
import type { WandbRecord } from "./messages.js";
import { wandbTracker } from "./wandb-tracker.js";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "thaw-wandb-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAIAAAA2iEnWAAAADElEQVQI12NgoCYAAABLAAHk1jGVAAAAAElFTkSuQmCC",
  "base64",
);
const open = (step = 0): Promise<Tracker> => {
  const facts = { name: "run", config: { seed: 7 }, runFolder: folder } as unknown as RunFacts;
  return wandbTracker({ project: "p", entity: "e" }, { facts, folder, step, logger: silentLogger });
};
const told = (tracker: Tracker, step: number, loss: number): unknown =>
  tracker.record({ event: "baseline", step, name: "held", baseline: "always", metrics: { loss } });

async function fileOf(): Promise<string> {
  const [name = ""] = await readdir(folder);
  return join(folder, name, `run-${name.split("-").at(-1)}.wandb`);
}

/** The rows of the history: step and values by key. */
async function rows(): Promise<readonly (readonly [number, Readonly<Record<string, unknown>>])[]> {
  return readRecords(await readFile(await fileOf())).flatMap(({ history }) => {
    if (history === undefined) return [];
    const own = history.item.filter(({ key }) => !/^_(timestamp|runtime|step)$/.test(key));
    return [
      [
        history.step.num ?? 0,
        Object.fromEntries(own.map(({ key, valueJson }) => [key, JSON.parse(valueJson)])),
      ] as const,
    ];
  });
}

describe("the datastore", () => {
  // Around the end of a block of 32,768 bytes, which no part crosses and where no header fits in less than 7 bytes
  it.each([0, 10, 32_700, 32_730, 32_750, 32_755, 32_760, 40_000, 100_000])("holds texts of %i bytes", (length) => {
    const records = ["a".repeat(length), "b", "c".repeat(length)].map((line, num): WandbRecord => {
      return { num: num + 1, outputRaw: { timestamp: { seconds: 1 }, line } };
    });
    let file = FILE_HEADER;
    for (const record of records) file = Buffer.concat([file, recordBytes(record, file.length)]);
    expect(readRecords(file).map(({ outputRaw }) => outputRaw?.line ?? "")).toEqual(
      records.map(({ outputRaw }) => outputRaw!.line),
    );
    expect(readRecords(file.subarray(0, -1))).toHaveLength(2);
  });
});

describe("an offline run", () => {
  it("holds the config, one row per step, pictures and how it ended", async () => {
    const tracker = await open();
    await told(tracker, 0, 2);
    await told(tracker, 3, Number.NaN);
    const [texts, numbers, images] = [{ answer: "ä" }, { f1: 1 }, [{ type: "image/png" as const, bytes: PNG }]];
    await tracker.record({ event: "sample", step: 3, name: "held", index: 7, id: "x", texts, numbers, images });
    const histogram = { min: -1, max: 1, count: 3, sum: 0, sumOfSquares: 2, edges: [-1, 0, 1], counts: [1, 2] };
    await tracker.histograms?.({ step: 3, gradients: { w: histogram }, weights: {} });
    await tracker.record({ event: "warning", step: 3, text: "careful" });
    await tracker.record({ event: "failed", step: 3, message: "it broke" } as never);
    await tracker.close?.();
    expect(await rows()).toEqual([
      [0, { "held/always/loss": 2 }],
      [
        3,
        {
          "held/always/loss": "NaN",
          "held/7-x/answer": "ä",
          "held/7-x/f1": 1,
          "held/7-x/0": expect.objectContaining({
            _type: "image-file",
            width: 2,
            height: 3,
            caption: "answer: ä",
          }) as object,
          "gradients/w": { _type: "histogram", bins: [-1, 0, 1], values: [1, 2] },
        },
      ],
    ]);
    const file = await fileOf();
    const records = readRecords(await readFile(file));
    expect(records.map(({ num }) => num)).toEqual(records.map((_, index) => index + 1));
    const id = file.slice(file.lastIndexOf("-") + 1, -".wandb".length);
    expect(records.find(({ run }) => run !== undefined)!.run).toMatchObject({
      runId: id,
      entity: "e",
      project: "p",
      displayName: "run",
      config: { update: [{ key: "seed", valueJson: "7" }] },
    });
    expect(records.flatMap(({ outputRaw }) => outputRaw?.line ?? [])).toEqual(["careful\n", "Failed: it broke\n"]);
    expect(records.at(-1)!.exit).toMatchObject({ exitCode: 1 });
    const { path } = records.find(({ files }) => files !== undefined)!.files!.files[0]!;
    expect(await readFile(join(file, "../files", path))).toEqual(PNG);
  });

  it("goes on without what was told of later steps, also where a record was cut off", async () => {
    const first = await open();
    for (const step of [1, 2, 3, 4]) await told(first, step, step);
    await first.close?.();
    const file = await fileOf();
    await truncate(file, (await readFile(file)).length - 3);
    const second = await open(2);
    for (const step of [3, 4]) await told(second, step, 10 * step);
    await second.close?.();
    expect((await rows()).map(([step, values]) => [step, values["held/always/loss"]])).toEqual([
      [1, 1],
      [2, 2],
      [3, 30],
      [4, 40],
    ]);
    expect(await readdir(folder)).toHaveLength(1);
  });
});
