import { access, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { readStagedRun, STAGES_FILE } from "@thaw/core";
import { noRuns } from "../errors.js";
import { headline } from "./measured.js";
import { readMeasured } from "./read-run.js";
import { stepsOf, workOf, type RunData, type RunStatus } from "./run-data.js";

/** One run of a list. */
export interface ListedRun {
  /** The run folder's name, of a stage with the staged run's before it. */
  readonly name: string;
  readonly folder: string;
  readonly status: RunStatus;
  /** When it began, ISO 8601; absent where the run does not say. */
  readonly startedAt?: string;
  readonly steps: number;
  readonly totalSteps: number;
  /** The metric that it is known by, its last value. */
  readonly metric?: { readonly evaluation: string; readonly name: string; readonly value: number };
  /** Of the last step; absent before the first, NaN where it was. */
  readonly loss?: number;
  /** In steps. */
  readonly trainingMs: number;
  /** What it trains on. */
  readonly data?: string;
  readonly planHash: string;
}

/** The runs in a folder, newest first; stages of a staged run one by one. @throws THAW_REPORT_NO_RUNS */
export async function listRuns(folder: string): Promise<readonly ListedRun[]> {
  const path = resolve(folder);
  const names = await readdir(path).catch(() => {
    throw noRuns(path);
  });
  const found: { readonly name: string; readonly folder: string }[] = [];
  for (const name of names) found.push(...(await runsAt(join(path, name), name)));
  const runs = await Promise.all(
    found.map(async ({ name, folder: own }) => listed(name, own, await readMeasured(own))),
  );
  return runs.toSorted((left, right) => (right.startedAt ?? "").localeCompare(left.startedAt ?? ""));
}

/** The run folders that a folder is: itself, its stages as far as they have begun, or none. */
export async function runsAt(
  folder: string,
  name: string,
): Promise<readonly { readonly name: string; readonly folder: string }[]> {
  if (await exists(join(folder, "plan.json"))) return [{ name, folder }];
  if (!(await exists(join(folder, STAGES_FILE)))) return [];
  const { stages } = await readStagedRun(folder);
  const parts = await Promise.all(
    stages.map(async ({ folder: own }) =>
      (await exists(join(folder, own, "plan.json"))) ? [{ name: `${name}/${own}`, folder: join(folder, own) }] : [],
    ),
  );
  return parts.flat();
}

function listed(name: string, folder: string, run: RunData): ListedRun {
  const started = run.log.find(({ event }) => event === "started")?.time;
  const { steps, trainingMs } = workOf(run);
  const { done, total } = stepsOf(run);
  const best = headline(run);
  const data = dataOf(run);
  return {
    name,
    folder,
    status: run.status,
    ...(started === undefined ? {} : { startedAt: started }),
    steps: done,
    totalSteps: total,
    ...(best === undefined ? {} : { metric: { evaluation: best.name, name: best.metric, value: best.last } }),
    ...(steps.length === 0 ? {} : { loss: steps.at(-1)!.loss }),
    trainingMs,
    ...(data === undefined ? {} : { data }),
    planHash: run.plan?.hash ?? "",
  };
}

/** `noto`, `train.jsonl`: sets and files by name. */
function dataOf({ config }: Pick<RunData, "config">): string | undefined {
  const words = [...config.values].flatMap(([path, value]) =>
    /^data\.train(\.\d+)?(\.(set|path))?$/.test(path) ? [value.replace(/^.*[/\\:]/, "")] : [],
  );
  return words.length === 0 ? undefined : [...new Set(words)].join(", ");
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
