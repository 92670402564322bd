import { readdir, readFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import {
  fileInFolder,
  isRunHeld,
  readLog,
  readMetrics,
  readPlainFile,
  readSamples,
  type LogLine,
  type RunSummary,
  type SampleLine,
} from "@thaw/core";
import { notARun } from "../errors.js";
import { changedValues, readConfig } from "./read-config.js";
import type { Comparison, RunChange, RunData, RunPlan, RunSample, RunStatus } from "./run-data.js";

/** A sample's picture has at most so many bytes. */
const PICTURE_BYTES = 16e6;

/** Where the comparison with everything trainable is kept. */
export const COMPARISON_FILE = "comparison.json";

/**
 * Everything that a run folder says of its run: one that is finished, was interrupted, resumed, has failed, or is going
 * on. @throws THAW_REPORT_NOT_A_RUN
 */
export async function readRun(runFolder: string): Promise<RunData> {
  const [run, samples] = await Promise.all([readMeasured(runFolder), readSamples(runFolder)]);
  return { ...run, samples: await withPictures(resolve(runFolder), samples) };
}

/** All of it but the samples, with their pictures: for lists and comparisons of runs. @throws THAW_REPORT_NOT_A_RUN */
export async function readMeasured(runFolder: string): Promise<RunData> {
  const folder = resolve(runFolder);
  const started = await readJson<Partial<RunPlan>>(folder, "plan.json");
  if (started === undefined) throw notARun(folder);
  const [metrics, log, summary, comparison, versions] = await Promise.all([
    readMetrics(folder),
    readLog(folder),
    readJson<RunSummary>(folder, "summary.json"),
    readJson<Comparison>(folder, COMPARISON_FILE),
    readVersions(folder, started),
  ]);
  return {
    name: basename(folder),
    folder,
    status: await statusOf(folder, log, summary),
    ...versions,
    metrics,
    log,
    samples: [],
    ...(summary === undefined ? {} : { summary }),
    ...(comparison === undefined ? {} : { comparison }),
  };
}

/** The config and plan that a run has last, and what changed each time that it was taken up again. */
async function readVersions(
  folder: string,
  started: Partial<RunPlan>,
): Promise<Pick<RunData, "config" | "plan" | "changes">> {
  let config = readConfig(await readJson(folder, "config.json"));
  let plan = wholePlan(started);
  const changes: RunChange[] = [];
  for (const step of await laterSteps(folder)) {
    const [newConfig, newPlan] = await Promise.all([
      readJson(folder, `config-step-${step}.json`),
      readJson<Partial<RunPlan>>(folder, `plan-step-${step}.json`),
    ]);
    const now = newConfig === undefined ? config : readConfig(newConfig);
    const isPlanChanged = newPlan?.hash !== undefined && newPlan.hash !== plan.hash;
    const values = changedValues(config, now);
    if (isPlanChanged || values.length > 0) changes.push({ step, values, isPlanChanged });
    config = now;
    if (newPlan !== undefined) plan = wholePlan(newPlan);
  }
  return { config, plan, changes };
}

function wholePlan(plan: Partial<RunPlan>): RunPlan {
  return { hash: "", graph: [], findings: [], phases: [0], ...plan };
}

/** Steps after which a run went on with another config or plan, in order. */
async function laterSteps(folder: string): Promise<readonly number[]> {
  const steps = (await readdir(folder)).flatMap((name) => {
    const step = /^(?:config|plan)-step-(\d+)\.json$/.exec(name)?.[1];
    return step === undefined ? [] : [Number(step)];
  });
  return [...new Set(steps)].toSorted((left, right) => left - right);
}

/** What the run's last word was, and whether its process is there. */
async function statusOf(
  folder: string,
  log: readonly LogLine[],
  summary: Pick<RunSummary, "isInterrupted"> | undefined,
): Promise<RunStatus> {
  if (await isRunHeld(folder)) return "running";
  const last = log.findLast(({ event }) => event === "started" || event === "done" || event === "failed");
  if (last?.event === "failed") return "failed";
  if (last?.event === "done") return last.isInterrupted ? "interrupted" : "finished";
  if (last === undefined && summary !== undefined) return summary.isInterrupted ? "interrupted" : "finished";
  return "lost";
}

/** Each picture once in memory, however many samples show it. */
async function withPictures(folder: string, samples: readonly SampleLine[]): Promise<readonly RunSample[]> {
  const pictures = new Map<string, Promise<string | undefined>>();
  const read = (path: string): Promise<string | undefined> => {
    const known = pictures.get(path);
    if (known !== undefined) return known;
    const made = readPicture(folder, path);
    pictures.set(path, made);
    return made;
  };
  return Promise.all(
    samples.map(async ({ event: _event, images, ...sample }) => ({
      ...sample,
      images: (await Promise.all(images.map(read))).filter((image) => image !== undefined),
    })),
  );
}

/** A picture of the run folder as a `data:` address; undefined for anything else, a run folder being data. */
async function readPicture(folder: string, path: string): Promise<string | undefined> {
  const type = /^samples\/[\w-]+\.(png|jpeg|webp)$/.exec(path)?.[1];
  if (type === undefined) return undefined;
  try {
    const bytes = await readPlainFile(await fileInFolder(folder, path), PICTURE_BYTES);
    return `data:image/${type};base64,${bytes.toString("base64")}`;
  } catch {
    return undefined; // not there, or a link to elsewhere
  }
}

async function readJson<T>(folder: string, name: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, name), "utf8")) as T;
  } catch {
    return undefined; // not there, or not whole
  }
}
