import { resolveModel, isOnHub } from "@thaw/config";
import type { DatasetFormat } from "@thaw/core";
import type { SourceSetting } from "../config/data-section.js";
import type { LoadedConfig } from "../config/load-config.js";
import { hubContext, localOf, type HubWatcher } from "./hub-access.js";
import { hubNamesOf, mapSource, namesIn, withFolders, type Local } from "./hub-names.js";

/**
 * The config with everything that it names on the hub fetched into the cache, or its model alone. From here on nothing
 * asks the network. `@throws THAW_HUB_*`
 */
export async function fetchedConfig(
  config: LoadedConfig,
  watcher: HubWatcher,
  what: "all" | "model" = "all",
): Promise<LoadedConfig> {
  const names = hubNamesOf(config);
  const data = what === "model" ? [] : names.data;
  if (names.model === undefined && data.length === 0) return config;
  const model = names.model === undefined ? undefined : await fetched(names.model, "model", watcher);
  return withFolders(config, { model, data: await fetchedData(data, watcher) });
}

/** A model as a command names it: its folder, fetched where it is a name on the hub. `@throws THAW_HUB_*` */
export async function fetchedModel(path: string, watcher: HubWatcher): Promise<{ folder: string; hubName?: string }> {
  const model = resolveModel(path, process.cwd());
  if (!isOnHub(model)) return { folder: model };
  const { folder, name } = await fetched(model, "model", watcher);
  return { folder, hubName: name };
}

/** A data set as a command names it, what is on the hub fetched. `@throws THAW_HUB_*` */
export async function fetchedSource(
  source: SourceSetting,
  formats: readonly DatasetFormat[],
  watcher: HubWatcher,
): Promise<SourceSetting> {
  const local = await fetchedData(namesIn(source, formats), watcher);
  return mapSource(source, formats, (name) => local.get(name)!.folder);
}

async function fetchedData(names: readonly string[], watcher: HubWatcher): Promise<ReadonlyMap<string, Local>> {
  const data = new Map<string, Local>();
  for (const name of names) data.set(name, await fetched(name, "dataset", watcher));
  return data;
}

async function fetched(text: string, type: "model" | "dataset", watcher: HubWatcher): Promise<Local> {
  const { dataFiles, fetchSnapshot, MODEL_FILES, parseHubName } = await import("@thaw/hub");
  const name = parseHubName(text, type);
  const selection = type === "model" ? MODEL_FILES : dataFiles(name.path);
  return localOf(await fetchSnapshot(name, selection, await hubContext(watcher)));
}
