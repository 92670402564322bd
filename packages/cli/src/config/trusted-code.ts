import { realpath } from "node:fs/promises";
import { dirname, isAbsolute, relative } from "node:path";
import { discoverConfig, type TrustedCode } from "@thaw/config";
import { ThawError } from "@thaw/core";

/**
 * The config of the working folder, links resolved: the user's word on what a run may name. One that lies in the opened
 * `folder` itself says nothing about it. Undefined where there is none.
 */
export async function ownConfig(folder: string): Promise<string | undefined> {
  const file = await ownFile();
  return file !== undefined && isInside(file, await realpath(folder)) ? undefined : file;
}

/** True for a config that needs code which the config found from the working folder does not vouch for. */
export async function needsTrust(config: {
  readonly code: TrustedCode;
  readonly saved: Readonly<Record<string, unknown>>;
}): Promise<boolean> {
  const { hasCode, file } = config.saved["$saved"] as { readonly hasCode?: boolean; readonly file?: string };
  const { plugins, paths } = config.code;
  if (hasCode !== true && plugins.length === 0 && paths.length === 0) return false;
  return file === undefined || (await ownFile()) !== (await realpath(file).catch(() => file));
}

async function ownFile(): Promise<string | undefined> {
  try {
    return await realpath(await discoverConfig(process.cwd()));
  } catch (error) {
    if (error instanceof ThawError && error.code === "THAW_CONFIG_NOT_FOUND") return undefined;
    throw error;
  }
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, dirname(path));
  return way === "" || (!way.startsWith("..") && !isAbsolute(way));
}
