import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { proofOf, proveFile, readManifest, writeManifest } from "@thaw/safetensors";
import { runFolderUnwritable } from "../errors/files.js";

/** Files that a run folder has before the run's first step, and that stay as they are. */
const FIXED_FILES = ["config.json", "plan.json"];

/** Writes the sums of a new run folder's fixed files into its manifest. @throws THAW_CORE_RUN_FOLDER_UNWRITABLE */
export async function writeRunSums(folder: string): Promise<void> {
  try {
    const proofs = await Promise.all(
      FIXED_FILES.map(async (name) => [name, proofOf(await readFile(join(folder, name)))] as const),
    );
    await writeManifest(folder, Object.fromEntries(proofs));
  } catch (cause) {
    throw runFolderUnwritable(folder, cause);
  }
}

/**
 * Compares a run folder's `config.json` and `plan.json` with the sums that were written with them. Where the folder has
 * none, which whoever changed a file on purpose removes, nothing is compared, and the answer is false.
 * @throws THAW_SAFETENSORS_DAMAGED naming the file
 */
export async function checkRunSums(folder: string): Promise<boolean> {
  const manifest = await readManifest(folder);
  for (const name of manifest?.keys() ?? []) await proveFile(join(folder, name), manifest!);
  return FIXED_FILES.every((name) => manifest?.has(name) === true);
}
