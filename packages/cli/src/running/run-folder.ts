import { access } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { readStagedRun, stageState, STAGES_FILE, trainedFile } from "@thaw/core";
import { notARunOrCheckpoint, runNotFinished, savedConfigWrong } from "../errors.js";
import { fetchedConfig, fetchedModel } from "../hub/fetched-config.js";
import type { HubWatcher } from "../hub/hub-access.js";
import { loadConfig, type LoadedConfig } from "../config/load-config.js";
import { loadRunConfig } from "./run-config.js";

/** What a command was pointed at: a run with its config and trained parameters, or a bare checkpoint. */
export interface Target {
  readonly kind: "run" | "checkpoint";
  readonly folder: string;
  readonly config: LoadedConfig;
  /** Trained parameters to put over the base model's; absent for a checkpoint. */
  readonly trained?: string;
}

/** What commands say of the folder that they are given. */
export interface TargetOptions extends HubWatcher {
  readonly backend?: string;
  /** The run's config may name code: plugins, configs that are code, libraries. */
  readonly trust?: boolean;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/**
 * Opens a run folder (its `config.json` and `final/`), one checkpoint folder in it, or a Hugging Face checkpoint
 * folder or its name on the hub, which is fetched. Each is data: what a run names that is code is loaded where the
 * working folder's config names it too, or with
 * `trust`. `@throws THAW_CLI_NOT_A_RUN, THAW_CLI_RUN_NOT_FINISHED, THAW_CLI_RUN_CONFIG, THAW_CONFIG_*,
 * THAW_HUB_*`.
 */
export async function openTarget(path: string, options: TargetOptions = {}): Promise<Target> {
  const { folder, hubName } = await fetchedModel(path, options);
  if (!(await exists(folder))) throw notARunOrCheckpoint(folder, "it does not exist");
  const values = options.backend === undefined ? undefined : { backend: options.backend };
  const run = await runOf(folder);
  if (run !== undefined) {
    const config = await loadRunConfig(run.folder, {
      requires: "model",
      ...(values === undefined ? {} : { values }),
      ...(options.trust === true ? { trust: "all" } : {}),
    });
    if (config.hasErrors) throw savedConfigWrong(run.folder, config.findings);
    return {
      kind: "run",
      folder: run.folder,
      config: await fetchedConfig(config, options, "model"),
      trained: run.trained,
    };
  }
  if (!(await exists(join(folder, "config.json")))) throw notARunOrCheckpoint(folder, "it has no config.json");
  return {
    kind: "checkpoint",
    folder,
    config: {
      ...(await loadConfig(null, { requires: "model", values: { model: folder, ...values } })),
      ...(hubName === undefined ? {} : { hubName }),
    },
  };
}

/**
 * The run that a folder is, or that it is a checkpoint of; of a staged run the last stage that is finished, which holds
 * what all before it trained.
 */
async function runOf(folder: string): Promise<{ readonly folder: string; readonly trained: string } | undefined> {
  if (await exists(join(folder, STAGES_FILE))) return lastFinished(folder);
  if (await exists(join(folder, "plan.json"))) {
    const trained = join(folder, "final", "trained.safetensors");
    if (!(await exists(trained))) throw runNotFinished(folder);
    return { folder, trained };
  }
  const trained = join(folder, "trained.safetensors");
  if (!(await exists(trained))) return undefined;
  for (const parent of [dirname(folder), dirname(dirname(folder))])
    if (await exists(join(parent, "plan.json"))) return { folder: parent, trained };
  return undefined;
}

async function lastFinished(folder: string): Promise<{ readonly folder: string; readonly trained: string }> {
  const run = await readStagedRun(folder);
  const states = await Promise.all(run.stages.map((stage) => stageState(run, stage)));
  const last = states.findLast(({ state }) => state === "finished");
  if (last === undefined) throw runNotFinished(folder);
  return { folder: last.folder, trained: trainedFile(last.folder) };
}

/**
 * The file of parameters that `model.start_from` names: itself, or what a finished run trained. `@throws
 * THAW_CLI_NOT_A_RUN, THAW_CLI_RUN_NOT_FINISHED`.
 */
export async function startFile(path: string): Promise<string> {
  if (path.endsWith(".safetensors")) {
    if (!(await exists(path))) throw notARunOrCheckpoint(path, "it does not exist");
    return path;
  }
  const run = await runOf(path);
  if (run === undefined) throw notARunOrCheckpoint(path, "it holds no trained parameters");
  return run.trained;
}

/** The staged run that `--resume` names: itself, or the one whose stage it is; undefined for a run without stages. */
export async function stagedRunOf(path: string): Promise<string | undefined> {
  const folder = resolve(path);
  for (const candidate of [folder, dirname(folder)]) if (await exists(join(candidate, STAGES_FILE))) return candidate;
  return undefined;
}

/**
 * The run folder that `--resume` names: itself, or the one around a checkpoint folder. `@throws THAW_CLI_NOT_A_RUN`.
 */
export async function runFolderOf(path: string): Promise<string> {
  const folder = resolve(path);
  for (const candidate of [folder, dirname(folder), dirname(dirname(folder))])
    if (await exists(join(candidate, "plan.json"))) return candidate;
  throw notARunOrCheckpoint(folder, "neither it nor the folder around it has a plan.json");
}

/** A run's name for titles: `emoji` of `runs/emoji-20250101-120000`. */
export function titleOf(runName: string, folder: string): string {
  return runName === "run" ? basename(folder) : runName;
}
