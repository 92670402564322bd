import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BackendEntry } from "./table.js";

/** Where a backend was found. */
export type Location =
  | { readonly kind: "packages"; readonly folders: Readonly<Record<string, string>> }
  | { readonly kind: "installed"; readonly folder: string; readonly manifest: InstalledManifest };

/** `manifest.json` of an installed backend; written last, so its presence says that the rest is complete. */
export interface InstalledManifest {
  readonly format: 1;
  /** Version of TensorFlow's library, e.g. `2.21.0`. */
  readonly tensorflow: string;
  /** Version of the addon's package. */
  readonly addon: string;
  /** `linux-x64`. */
  readonly platform: string;
  /** Of Thaw's sources that were compiled: `addonSourcesHash`. Absent in the oldest. */
  readonly sources?: string;
}

/** Where to look. */
export interface SearchFolders {
  readonly projectFolder: string;
  readonly cacheFolder: string;
}

/** Name of the file that completes an installed backend. */
export const MANIFEST_FILE = "manifest.json";

/**
 * The user's folder for what `thaw backend install` fetches: `~/.cache/thaw`, `~/Library/Caches/thaw` or
 * `%LOCALAPPDATA%/thaw`.
 */
export function defaultCacheFolder(platform: NodeJS.Platform = process.platform, home: string = homedir()): string {
  if (platform === "darwin") return join(home, "Library", "Caches", "thaw");
  if (platform === "win32") return join(home, "AppData", "Local", "thaw");
  return join(home, ".cache", "thaw");
}

/**
 * Finds a backend: first what was installed for Thaw, then the user's npm packages, then Thaw's own. Undefined where it
 * is nowhere.
 */
export function locate(entry: BackendEntry, search: SearchFolders): Location | undefined {
  const installed = locateInstalled(entry, search.cacheFolder);
  if (installed !== undefined) return installed;
  const folders: Record<string, string> = {};
  for (const name of entry.packages) {
    const folder =
      packageFolder(name, join(search.projectFolder, "package.json")) ??
      packageFolder(name, fileURLToPath(import.meta.url));
    if (folder === undefined) return undefined;
    folders[name] = folder;
  }
  return { kind: "packages", folders };
}

/** What was looked for, for messages. */
export function describeSearch(entry: BackendEntry, search: SearchFolders): string {
  const names = entry.packages.map((name) => `"${name}"`).join(" and ");
  const packages = `${names} could not be resolved from ${search.projectFolder}`;
  return entry.installedAs === undefined
    ? packages
    : `nothing is installed in ${installedFolder(entry, search.cacheFolder)}, and the npm package ${packages}`;
}

/** Folder into which a backend is installed, whether or not it exists. */
export function installedFolder(entry: BackendEntry, cacheFolder: string): string {
  return join(cacheFolder, "backends", entry.installedAs?.[0] ?? entry.name);
}

function locateInstalled(entry: BackendEntry, cacheFolder: string): Location | undefined {
  for (const name of entry.installedAs ?? []) {
    const folder = join(cacheFolder, "backends", name);
    const manifest = readManifest(join(folder, MANIFEST_FILE));
    if (manifest !== undefined) return { kind: "installed", folder, manifest };
  }
  return undefined;
}

function readManifest(file: string): InstalledManifest | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const manifest = JSON.parse(readFileSync(file, "utf8")) as InstalledManifest;
    return manifest.format === 1 ? manifest : undefined;
  } catch {
    return undefined;
  }
}

/** Folder of an npm package as seen from a file, also where the package does not export its `package.json`. */
function packageFolder(name: string, from: string): string | undefined {
  const paths = createRequire(from).resolve.paths(name) ?? [];
  return paths.map((path) => join(path, name)).find((folder) => existsSync(join(folder, "package.json")));
}

/** Folder of the file that a module specifier resolves to from this package. */
export function ownPackageFolder(name: string): string {
  return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
}
