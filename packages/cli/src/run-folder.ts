import { access } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { notARunOrCheckpoint, runNotFinished } from "./errors.js";
import { loadConfig, type LoadedConfig, type LoadOptions } from "./load-config.js";

/** What a command was pointed at: a run with its config and trained parameters, or a bare checkpoint. */
export interface Target {
  readonly kind: "run" | "checkpoint";
  readonly folder: string;
  readonly config: LoadedConfig;
  /** Trained parameters to put over the base model's; absent for a checkpoint. */
  readonly trained?: string;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false);
}

/**
 * Opens a run folder (its `config.json` and `final/`), one checkpoint folder in it, or a Hugging Face checkpoint folder.
 * `@throws THAW_CLI_NOT_A_RUN, THAW_CLI_RUN_NOT_FINISHED, THAW_CONFIG_*`.
 */
export async function openTarget(path: string, options: { readonly backend?: string } = {}): Promise<Target> {
  const folder = resolve(path);
  if (!(await exists(folder))) throw notARunOrCheckpoint(folder, "it does not exist");
  const values = options.backend === undefined ? undefined : { backend: options.backend };
  const run = await runOf(folder);
  if (run !== undefined) {
    const config = await loadRunConfig(run.folder, { requires: "model", ...(values === undefined ? {} : { values }) });
    return { kind: "run", folder: run.folder, config, trained: run.trained };
  }
  if (!(await exists(join(folder, "config.json")))) throw notARunOrCheckpoint(folder, "it has no config.json");
  return { kind: "checkpoint", folder, config: await loadConfig(null, { requires: "model", values: { model: folder, ...values } }) };
}

/** The run that a folder is, or that it is a checkpoint of. */
async function runOf(folder: string): Promise<{ readonly folder: string; readonly trained: string } | undefined> {
  if (await exists(join(folder, "plan.json"))) {
    const trained = join(folder, "final", "trained.safetensors");
    if (!(await exists(trained))) throw runNotFinished(folder);
    return { folder, trained };
  }
  const trained = join(folder, "trained.safetensors");
  if (!(await exists(trained))) return undefined;
  for (const parent of [dirname(folder), dirname(dirname(folder))]) if (await exists(join(parent, "plan.json"))) return { folder: parent, trained };
  return undefined;
}

/** The run folder that `--resume` names: itself, or the one around a checkpoint folder. `@throws THAW_CLI_NOT_A_RUN`. */
export async function runFolderOf(path: string): Promise<string> {
  const folder = resolve(path);
  for (const candidate of [folder, dirname(folder), dirname(dirname(folder))]) if (await exists(join(candidate, "plan.json"))) return candidate;
  throw notARunOrCheckpoint(folder, "neither it nor the folder around it has a plan.json");
}

/** The config that a run was started with. Plugins that were objects in code come from the original file, which must still be there. */
export async function loadRunConfig(folder: string, options: LoadOptions): Promise<LoadedConfig> {
  const saved = await loadConfig(join(folder, "config.json"), options);
  const source = saved.saved["$saved"] as { readonly file?: string; readonly hasCode?: boolean; readonly overrides?: readonly string[] } | undefined;
  if (source?.hasCode !== true || source.file === undefined) return saved;
  return loadConfig(source.file, { ...options, set: [...(source.overrides ?? []), ...(options.set ?? [])] });
}

/** A run's name for titles: `emoji` of `runs/emoji-20250101-120000`. */
export function titleOf(runName: string, folder: string): string {
  return runName === "run" ? basename(folder) : runName;
}
