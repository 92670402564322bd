import { readdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { ThawError } from "@thaw/contracts";
import { MANIFEST_FILE, openSafetensors, proveFolder, readManifest, readProven } from "@thaw/safetensors";
import { checkpointBroken, checkpointDamaged, checkpointNotFound } from "../errors/files.js";
import { exists, RunFolder } from "./run-folder.js";
import { STATE_VERSION, type RunState } from "../api/state.js";
import { CHECKPOINTS_FOLDER, FINAL_FOLDER, OPTIMIZER_FILE, STATE_FILE, TRAINED_FILE } from "./write-checkpoint.js";

/** A checkpoint on disk whose `state.json` and headers were read and compared with its manifest. */
export interface FoundCheckpoint {
  readonly folder: string;
  readonly state: RunState;
  /** The run folder it lies in, if the run can go on there: it is unfinished and this is its latest checkpoint. */
  readonly continues?: RunFolder;
}

/**
 * Finds a checkpoint: the folder itself, or the latest of a run folder. @throws THAW_CORE_CHECKPOINT_NOT_FOUND,
 * THAW_CORE_CHECKPOINT_DAMAGED
 */
export async function findCheckpoint(from: string): Promise<FoundCheckpoint> {
  const path = resolve(from);
  const isInRun = basename(dirname(path)) === CHECKPOINTS_FOLDER && (await exists(path));
  if (isInRun || (await exists(join(path, STATE_FILE)))) {
    const run = isInRun ? dirname(dirname(path)) : undefined;
    return found(path, run, run === undefined ? undefined : (await checkpointsOf(run)).at(-1));
  }
  const latest = (await checkpointsOf(path)).at(-1);
  if (latest === undefined) throw checkpointNotFound(path);
  return found(latest, path, latest);
}

/** True if a run has a checkpoint, damaged or not: one that is damaged is not passed over. */
export async function hasCheckpoint(run: string): Promise<boolean> {
  return (await checkpointsOf(run)).length > 0;
}

async function found(folder: string, run: string | undefined, latest: string | undefined): Promise<FoundCheckpoint> {
  const state = await readState(folder);
  if (run === undefined || latest !== folder || (await exists(join(run, FINAL_FOLDER)))) return { folder, state };
  return { folder, state, continues: new RunFolder(run, false) };
}

/** Checkpoint folders of a run, by step. */
export async function checkpointsOf(run: string): Promise<readonly string[]> {
  const parent = join(run, CHECKPOINTS_FOLDER);
  const steps = (await readdir(parent).catch(() => []))
    .flatMap((name) => /^step-(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number);
  return steps.toSorted((left, right) => left - right).map((step) => join(parent, `step-${step}`));
}

async function readState(folder: string): Promise<RunState> {
  const state = await provenState(folder).catch(async (error: unknown) => {
    throw await nameDamage(folder, error);
  });
  const version: unknown = state.version;
  if (version === STATE_VERSION) return state;
  throw checkpointBroken(
    join(folder, STATE_FILE),
    `its version is ${String(version)}, and this Thaw reads ${STATE_VERSION}`,
  );
}

/** The state, with the headers of both files of tensors compared. */
async function provenState(folder: string): Promise<RunState> {
  const file = join(folder, STATE_FILE);
  const manifest = await readManifest(folder);
  if (manifest === undefined)
    throw checkpointBroken(join(folder, MANIFEST_FILE), "it has no manifest, which is written last and proves it");
  const state = JSON.parse((await readProven(file, manifest)).toString("utf8")) as RunState;
  const named = /^step-(\d+)$/.exec(basename(folder))?.[1];
  if (named !== undefined && Number(named) !== state.step)
    throw checkpointBroken(file, `it is the state after step ${state.step}, in a folder of step ${named}`);
  for (const name of [TRAINED_FILE, OPTIMIZER_FILE]) await (await openSafetensors(join(folder, name))).close();
  return state;
}

/**
 * What is wrong with a checkpoint, with the newest other one of its run that is whole to its last byte; another error
 * comes back as it is. Nothing goes on from another checkpoint than was asked for.
 */
export async function nameDamage(folder: string, error: unknown): Promise<unknown> {
  if (!(error instanceof ThawError) || !DAMAGE.includes(error.code)) return error;
  const { file = folder, what = error.message } = error.details as { readonly file?: string; readonly what?: string };
  return checkpointDamaged({ folder, file, what, whole: await newestWhole(folder) }, error);
}

const DAMAGE: readonly string[] = [
  "THAW_CORE_CHECKPOINT_BROKEN",
  "THAW_SAFETENSORS_DAMAGED",
  "THAW_SAFETENSORS_MALFORMED",
  "THAW_SAFETENSORS_UNREADABLE",
];

async function newestWhole(damaged: string): Promise<string | undefined> {
  for (const folder of (await checkpointsOf(dirname(dirname(damaged)))).toReversed()) {
    if (folder === damaged) continue;
    const isWhole = await provenState(folder)
      .then(() => proveFolder(folder))
      .then(
        () => true,
        () => false,
      );
    if (isWhole) return folder;
  }
  return undefined;
}
