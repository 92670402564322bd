import { readFile, realpath } from "node:fs/promises";
import { join } from "node:path";
import { savedSchema } from "@thaw/config";
import { checkRunSums, readStagedRun, STAGES_FILE } from "@thaw/core";
import { notARunOrCheckpoint, originalConfigUntrusted } from "../errors.js";
import { loadConfig, type LoadedConfig, type LoadOptions } from "../config/load-config.js";
import { ownConfig } from "../config/trusted-code.js";

/**
 * The config that a run was started with, which is data. Plugins that were objects in code come from the original file,
 * which must still be there, and be the config of the working folder.
 * @throws THAW_CONFIG_*, THAW_SAFETENSORS_DAMAGED, THAW_CLI_NOT_A_RUN for a config.json that is also a model's,
 * THAW_CLI_RUN_CODE
 */
export async function loadRunConfig(folder: string, options: LoadOptions): Promise<LoadedConfig> {
  const file = join(folder, "config.json");
  await checkRunSums(folder);
  await refuseModelConfig(folder, file);
  const saved = await loadConfig(file, { ...options, isData: options.trust !== "all" });
  return originalConfig(saved, folder, options);
}

/** The configs of a staged run's stages, as `loadRunConfig` reads one. */
export async function loadStageConfigs(
  folder: string,
  options: LoadOptions,
): Promise<readonly { readonly name: string; readonly config: LoadedConfig }[]> {
  const { stages } = await readStagedRun(folder);
  const file = join(folder, STAGES_FILE);
  return Promise.all(
    stages.map(async ({ name, config: value }) => ({
      name,
      config: await originalConfig(await loadConfig(null, { ...options, saved: { file, value } }), folder, options),
    })),
  );
}

/** A folder is a run or a model; one whose config.json is read as either is made to be taken for the other. */
async function refuseModelConfig(folder: string, file: string): Promise<void> {
  const config = await readFile(file, "utf8").then(
    (text) => JSON.parse(text) as Record<string, unknown> | null,
    () => undefined,
  );
  const key = ["model_type", "architectures"].find((name) => Object.hasOwn(config ?? {}, name));
  if (key !== undefined)
    throw notARunOrCheckpoint(folder, `plan.json makes it a run, and ${key} in its config.json makes it a model`);
}

/** A saved config, or where it cannot hold its plugins the one that it was saved from. */
async function originalConfig(saved: LoadedConfig, folder: string, options: LoadOptions): Promise<LoadedConfig> {
  const source = savedSchema.safeParse(saved.saved["$saved"]);
  if (!source.success || source.data.hasCode !== true || source.data.file === undefined) return saved;
  const { file, overrides = [], stage } = source.data;
  if (options.trust !== "all" && (await ownConfig(folder)) !== (await realpath(file).catch(() => file)))
    throw originalConfigUntrusted(folder, file);
  const config = await loadConfig(file, { ...options, savedOverrides: overrides });
  return config.stages.find(({ name }) => name === stage)?.config ?? config;
}
