import { rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { withoutSecrets, makeFolders } from "@thaw/contracts";
import {
  MANIFEST_FILE,
  MANIFEST_KEY,
  proofOf,
  syncFolder,
  writeAtomically,
  writeManifest,
  writeSafetensors,
  type FileProof,
  type TensorValues,
} from "@thaw/safetensors";
import { ThawError } from "@thaw/contracts";
import { checkpointNotFinite, checkpointUnwritable } from "../errors/files.js";
import { exists, type RunFolder } from "./run-folder.js";

export const TRAINED_FILE = "trained.safetensors";
export const OPTIMIZER_FILE = "optimizer.safetensors";
export const STATE_FILE = "state.json";
export const CHECKPOINTS_FOLDER = "checkpoints";
export const FINAL_FOLDER = "final";

/** Folder name of the checkpoint after so many steps. */
export function checkpointName(step: number): string {
  return `${CHECKPOINTS_FOLDER}/step-${step}`;
}

/**
 * Makes a folder whole or not at all: `write` fills a temporary one beside it and gives the proofs of its files, which
 * go into a manifest, written last; then it is renamed. One that exists stays.
 * @throws THAW_CORE_CHECKPOINT_UNWRITABLE, THAW_CORE_CHECKPOINT_NOT_FINITE; nothing is left behind
 */
export async function writeFolder(
  run: RunFolder,
  name: string,
  write: (folder: string) => Promise<Readonly<Record<string, FileProof>>>,
): Promise<void> {
  const path = run.file(name);
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    if (await exists(path)) return;
    // In a container a process that was killed may have had the same number
    await rm(temporary, { recursive: true, force: true });
    await makeFolders(temporary);
    await writeManifest(temporary, await write(temporary));
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    const isSpoilt = cause instanceof ThawError && cause.code === "THAW_SAFETENSORS_NOT_FINITE";
    throw isSpoilt ? checkpointNotFinite(path, cause) : checkpointUnwritable(path, cause);
  }
}

/** Removes a checkpoint: it is renamed first, so that none is ever there in part. */
export async function removeFolder(folder: string): Promise<void> {
  const doomed = `${folder}.${process.pid}.tmp`;
  await rename(folder, doomed);
  await rm(doomed, { recursive: true, force: true });
}

/** A tensor, or what stands for one until it is written. */
export interface SavedTensor {
  readonly shape: readonly number[];
  /** float32; asked for once, after those before it. */
  data(): Promise<TensorValues>;
}

/** Writes tensors by name, one on the host at a time; the file says that a manifest proves it. */
export async function writeTensors(
  file: string,
  tensors: ReadonlyMap<string, SavedTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<FileProof> {
  const declarations = [...tensors].map(([name, { shape }]) => ({ name, shape, dtype: "F32" as const }));
  return writeSafetensors(file, declarations, (name) => tensors.get(name)!.data(), {
    format: "pt",
    [MANIFEST_KEY]: MANIFEST_FILE,
    ...metadata,
  });
}

/** Writes `state.json` into a checkpoint folder. */
export async function writeState(folder: string, state: unknown): Promise<FileProof> {
  const bytes = Buffer.from(withoutSecrets(`${JSON.stringify(state)}\n`));
  await writeAtomically(join(folder, STATE_FILE), async (handle) => {
    await handle.writeFile(bytes);
  });
  return proofOf(bytes);
}
