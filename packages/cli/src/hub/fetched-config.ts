import { resolveModel, isOnHub } from "@thaw/config";
import type { DatasetFormat } from "@thaw/core";
import type { SourceSetting } from "../config/data-section.js";
import type { LoadedConfig } from "../config/load-config.js";
import { hubContext, pinnedName, type HubWatcher } from "./hub-access.js";
import { hubNamesOf, mapSource, withFolders } from "./hub-names.js";

/**
 * The config with everything that it names on the hub fetched into the cache, or its model alone. From here on nothing
 * asks the network. `@throws THAW_HUB_*`
 */
export async function fetchedConfig(
  config: LoadedConfig,
  watcher: HubWatcher,
  what: "all" | "model" = "all",
): Promise<LoadedConfig> {
  const { model, data } = hubNamesOf(config);
  const names = [
    ...(model === undefined ? [] : [{ name: model, type: "model" as const }]),
    ...(what === "model" ? [] : data.map((name) => ({ name, type: "dataset" as const }))),
  ];
  if (names.length === 0) return config;
  const [folders, pinned] = [new Map<string, string>(), new Map<string, string>()];
  for (const { name, type } of names) {
    const local = await fetched(name, type, watcher);
    folders.set(name, local.folder);
    pinned.set(name, local.pinned);
  }
  return withFolders(config, folders, pinned);
}

/** A model as a command names it: its folder, fetched where it is a name on the hub. `@throws THAW_HUB_*` */
export async function fetchedModel(path: string, watcher: HubWatcher): Promise<{ folder: string; hubName?: string }> {
  const model = resolveModel(path, process.cwd());
  if (!isOnHub(model)) return { folder: model };
  const { folder } = await fetched(model, "model", watcher);
  return { folder, hubName: /^hub:([^@]+)/.exec(model)![1]! };
}

/** A data set as a command names it, what is on the hub fetched. `@throws THAW_HUB_*` */
export async function fetchedSource(
  source: SourceSetting,
  formats: readonly DatasetFormat[],
  watcher: HubWatcher,
): Promise<SourceSetting> {
  const names: string[] = [];
  mapSource(source, formats, (name) => {
    names.push(name);
    return name;
  });
  const folders = new Map<string, string>();
  for (const name of names) folders.set(name, (await fetched(name, "dataset", watcher)).folder);
  return mapSource(source, formats, (name) => folders.get(name)!);
}

async function fetched(
  text: string,
  type: "model" | "dataset",
  watcher: HubWatcher,
): Promise<{ readonly folder: string; readonly pinned: string }> {
  const { dataFiles, fetchSnapshot, MODEL_FILES, parseHubName } = await import("@thaw/hub");
  const name = parseHubName(text, type);
  const found = await fetchSnapshot(
    name,
    type === "model" ? MODEL_FILES : dataFiles(name.path),
    await hubContext(watcher),
  );
  return { folder: found.folder, pinned: pinnedName(name, found) };
}
