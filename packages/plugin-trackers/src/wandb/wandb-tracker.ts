import { createHash, randomBytes } from "node:crypto";
import { open, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { imageSize } from "image-size";
import {
  eventNumbers,
  makeFolders,
  readMetrics,
  type Histogram,
  type RunEvent,
  type RunFacts,
  type SampleEvent,
  type Tracker,
  type TrackerMaking,
} from "@thaw/core";
import { FILE_HEADER, readRecords, recordBytes } from "./datastore.js";
import type { WandbItem, WandbRecord } from "./messages.js";

/** Whose run it is. */
export interface WandbOptions {
  readonly project: string;
  readonly entity?: string | undefined;
}

/** Oldest wandb that reads what is written. */
const MIN_CONSUMER = "0.12.0";

/** A run's folder, as `wandb` names it, and its identifier. */
interface Place {
  readonly folder: string;
  readonly file: string;
  readonly id: string;
}

/**
 * A folder `offline-run-<time>-<id>` with `run-<id>.wandb` and the pictures, as wandb writes it without a network. A
 * step has one row, which is written once the next one begins. A run that goes on writes the file anew, without what
 * an earlier part told of later steps.
 */
export async function wandbTracker(options: WandbOptions, { facts, folder, step }: TrackerMaking): Promise<Tracker> {
  const place = await placeIn(folder);
  const kept = readRecords(await readFile(place.file).catch(() => Buffer.alloc(0))).filter(
    ({ header, run, exit, history }) =>
      header === undefined && run === undefined && exit === undefined && (history?.step.num ?? 0) <= step,
  );
  const started = Date.now();
  const begun: readonly Omit<WandbRecord, "num">[] = [
    { header: { versionInfo: { producer: "thaw", minConsumer: MIN_CONSUMER } } },
    { run: runRecord(options, facts, place.id, started) },
    ...kept,
  ];
  let [size, count] = [FILE_HEADER.length, 0];
  const framed = (record: Omit<WandbRecord, "num">): Buffer => {
    count += 1;
    const bytes = recordBytes({ ...record, num: count }, size);
    size += bytes.length;
    return bytes;
  };
  await writeFile(`${place.file}.new`, Buffer.concat([FILE_HEADER, ...begun.map(framed)]));
  await rename(`${place.file}.new`, place.file);
  const file = await open(place.file, "a");
  const write = async (record: Omit<WandbRecord, "num">): Promise<void> => file.appendFile(framed(record));

  let row: { readonly step: number; readonly items: Map<string, unknown> } | undefined;
  const flush = async (): Promise<void> => {
    if (row === undefined) return;
    const { step: num, items } = row;
    row = undefined;
    const times = { _step: num, _timestamp: Date.now() / 1000, _runtime: (Date.now() - started) / 1000 };
    await write({ history: { item: [...Object.entries(times), ...items].map(item), step: { num } } });
  };
  const add = async (at: number, values: Readonly<Record<string, unknown>>): Promise<void> => {
    if (Object.keys(values).length === 0) return;
    if (row?.step !== at) await flush();
    row ??= { step: at, items: new Map() };
    for (const [key, value] of Object.entries(values)) row.items.set(key, value);
  };

  // A row that was not written when the process was killed is among the measurements of the run
  const written = kept.flatMap(({ history }) => (history === undefined ? [] : [history.step.num ?? 0]));
  const last = written.length === 0 ? -1 : Math.max(...written);
  for (const line of step === 0 ? [] : await readMetrics(facts.runFolder!, step))
    if (line.step > last) await add(line.step, eventNumbers(line));

  return {
    async record(event) {
      if (event.event === "step" || event.event === "evaluated" || event.event === "baseline")
        await add(event.step, eventNumbers(event));
      else if (event.event === "sample") await add(event.step, await sampleValues(event, place.folder, write));
      else
        await tell(event, write, async (exitCode) => {
          await flush();
          await write({ exit: { exitCode, runtime: Math.round((Date.now() - started) / 1000) } });
        });
    },
    histograms: ({ step: at, gradients, weights }) =>
      add(at, { ...histogramsUnder("gradients", gradients), ...histogramsUnder("weights", weights) }),
    async close() {
      await flush();
      await file.close();
    },
  };
}

type Write = (record: Omit<WandbRecord, "num">) => Promise<void>;

/** Warnings as lines of the log, the end of a run as its exit code. */
async function tell(event: RunEvent, write: Write, end: (exitCode: number) => Promise<void>): Promise<void> {
  const log = (line: string): Promise<void> =>
    write({ outputRaw: { timestamp: { seconds: Math.floor(Date.now() / 1000) }, line: `${line}\n` } });
  if (event.event === "warning") await log(event.text);
  if (event.event === "done") {
    for (const line of [`Ended: ${event.summary.stopReason}.`, ...event.summary.lines]) await log(line);
    await end(0);
  }
  if (event.event === "failed") {
    await log(`Failed: ${event.message}`);
    await end(1);
  }
}

/** The folder of an earlier part of the run, or a new one. */
async function placeIn(folder: string): Promise<Place> {
  await makeFolders(folder);
  const known = (await readdir(folder)).find((name) => /^offline-run-\d{8}_\d{6}-\w+$/.test(name));
  const time = new Date().toISOString().replace(/^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+).*$/, "$1$2$3_$4$5$6");
  const name = known ?? `offline-run-${time}-${randomBytes(4).toString("hex")}`;
  const id = name.slice(name.lastIndexOf("-") + 1);
  await makeFolders(join(folder, name, "files"));
  return { folder: join(folder, name), file: join(folder, name, `run-${id}.wandb`), id };
}

function runRecord({ project, entity = "" }: WandbOptions, facts: RunFacts, id: string, now: number) {
  return {
    runId: id,
    entity,
    project,
    displayName: facts.name,
    host: hostname(),
    startTime: { seconds: Math.floor(now / 1000) },
    config: { update: Object.entries(facts.config as Record<string, unknown>).map(item) },
  };
}

/** JSON has no NaN: wandb writes it by name. */
function item([key, value]: readonly [string, unknown]): WandbItem {
  const isNamed = typeof value === "number" && !Number.isFinite(value);
  return { key, valueJson: JSON.stringify(isNamed ? String(value) : (value ?? null)) };
}

/** Texts and numbers of a sample, and its pictures: files beside the datastore. */
async function sampleValues(
  { name, index, id, step, texts, numbers, images }: SampleEvent,
  folder: string,
  write: Write,
): Promise<Readonly<Record<string, unknown>>> {
  const place = `${name}/${index}-${id}`;
  const caption = Object.entries(texts)
    .map(([key, value]) => `${key}: ${value}`)
    .join("\n");
  const values: Record<string, unknown> = {};
  for (const [key, value] of [...Object.entries(texts), ...Object.entries(numbers)]) values[`${place}/${key}`] = value;
  for (const [number, { bytes, type }] of images.entries()) {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const format = type.replace("image/", "");
    const path = `media/images/${index}_${number}_${step}_${sha256.slice(0, 20)}.${format}`;
    await makeFolders(join(folder, "files/media/images"));
    await writeFile(join(folder, "files", path), bytes);
    await write({ files: { files: [{ path }] } });
    const { width, height } = imageSize(bytes);
    const size = bytes.length;
    values[`${place}/${number}`] = { _type: "image-file", path, sha256, size, width, height, format, caption };
  }
  return values;
}

function histogramsUnder(place: string, all: Readonly<Record<string, Histogram>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(all).map(([name, { edges, counts }]) => [
      `${place}/${name}`,
      { _type: "histogram", bins: edges, values: counts },
    ]),
  );
}
