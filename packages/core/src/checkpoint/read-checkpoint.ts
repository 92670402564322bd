import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { openSafetensors } from "@thaw/safetensors";
import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { checkpointBroken, checkpointNotFound } from "../errors/files.js";
import { exists, RunFolder } from "./run-folder.js";
import { STATE_VERSION, type RunState } from "../api/state.js";
import { CHECKPOINTS_FOLDER, FINAL_FOLDER, OPTIMIZER_FILE, STATE_FILE } from "./write-checkpoint.js";

/** A checkpoint on disk whose `state.json` was read. */
export interface FoundCheckpoint {
  readonly folder: string;
  readonly state: RunState;
  /** The run folder it lies in, if the run can go on there: it is unfinished and this is its latest checkpoint. */
  readonly continues?: RunFolder;
}

/**
 * Finds a checkpoint: the folder itself, or the latest of a run folder. @throws THAW_CORE_CHECKPOINT_NOT_FOUND,
 * THAW_CORE_CHECKPOINT_BROKEN
 */
export async function findCheckpoint(from: string): Promise<FoundCheckpoint> {
  const path = resolve(from);
  if (await exists(join(path, STATE_FILE))) {
    const run = basename(dirname(path)) === CHECKPOINTS_FOLDER ? dirname(dirname(path)) : undefined;
    return found(path, run, run === undefined ? undefined : (await checkpointsOf(run)).at(-1));
  }
  const latest = (await checkpointsOf(path)).at(-1);
  if (latest === undefined) throw checkpointNotFound(path);
  return found(latest, path, latest);
}

/**
 * Reads the parameters of a file (a checkpoint's or a finished run's), one at a time on the host. @throws
 * THAW_SAFETENSORS_*
 */
export async function readTrained(file: string, set: (name: string, values: Float32Array) => void): Promise<void> {
  const reader = await openSafetensors(file);
  try {
    for (const name of reader.entries.keys()) set(name, await reader.readFloat32(name));
  } finally {
    await reader.close();
  }
}

/** Reads optimizer slots; the caller owns the tensors. @throws THAW_SAFETENSORS_* */
export async function readSlots(
  folder: string,
  isWanted: (slot: string) => boolean,
): Promise<ReadonlyMap<string, Tensor>> {
  const slots = new Map<string, Tensor>();
  const reader = await openSafetensors(join(folder, OPTIMIZER_FILE));
  try {
    for (const [slot, { shape }] of reader.entries)
      if (isWanted(slot)) slots.set(slot, tf.tensor(await reader.readFloat32(slot), [...shape], "float32"));
    return slots;
  } catch (error) {
    tf.dispose([...slots.values()]);
    throw error;
  } finally {
    await reader.close();
  }
}

async function found(folder: string, run: string | undefined, latest: string | undefined): Promise<FoundCheckpoint> {
  const state = await readState(folder);
  if (run === undefined || latest !== folder || (await exists(join(run, FINAL_FOLDER)))) return { folder, state };
  return { folder, state, continues: new RunFolder(run, false) };
}

/** Whole checkpoints of a run, by step. */
export async function checkpointsOf(run: string): Promise<readonly string[]> {
  const parent = join(run, CHECKPOINTS_FOLDER);
  const steps = (await readdir(parent).catch(() => []))
    .flatMap((name) => /^step-(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number);
  return steps.toSorted((left, right) => left - right).map((step) => join(parent, `step-${step}`));
}

async function readState(folder: string): Promise<RunState> {
  const file = join(folder, STATE_FILE);
  let state: Omit<RunState, "version"> & { readonly version: unknown };
  try {
    state = JSON.parse(await readFile(file, "utf8")) as typeof state;
  } catch (cause) {
    throw checkpointBroken(file, "it cannot be read as JSON", cause);
  }
  if (state.version !== STATE_VERSION)
    throw checkpointBroken(file, `its version is ${String(state.version)}, and this Thaw reads ${STATE_VERSION}`);
  return state as RunState;
}
