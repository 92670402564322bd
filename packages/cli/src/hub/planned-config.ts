import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Found, HubContext } from "@thaw/hub";
import { bytesText } from "@thaw/contracts";
import { ThawError, type Finding } from "@thaw/core";
import type { LoadedConfig } from "../config/load-config.js";
import { hubContext, localOf } from "./hub-access.js";
import { hubNamesOf, withFolders, type Local } from "./hub-names.js";

/** Errors that say nothing of the config: somewhere else, or later, it may be right. */
const PASSING = ["THAW_HUB_UNREACHABLE", "THAW_HUB_OFFLINE", "THAW_HUB_BUSY"];

/** A config to plan by, and what is to be said of what it names on the hub. */
export interface PlannedConfig {
  readonly config: LoadedConfig;
  readonly findings: readonly Finding[];
}

/**
 * The config with folders that are enough to plan with in place of names on the hub: of a model its small files and the
 * headers of its weights, of data what is in the cache. Says what a run would fetch. What cannot be found is a finding,
 * and `modelError` where it is the model.
 */
export async function plannedConfig(config: LoadedConfig): Promise<PlannedConfig> {
  const names = hubNamesOf(config);
  if (names.model === undefined && names.data.length === 0) return { config, findings: [] };
  const { dataFiles, findSnapshot, HASTY, MODEL_FILES, parseHubName } = await import("@thaw/hub");
  const context: HubContext = { ...(await hubContext({})), patience: HASTY };
  const findings: Finding[] = [];
  const data = new Map<string, Local>();
  let model: Local | undefined;
  let modelError: ThawError | undefined;
  if (names.model !== undefined)
    try {
      const found = await findSnapshot(parseHubName(names.model, "model"), MODEL_FILES, context);
      model = { ...localOf(found), folder: await headersOf(found, context) };
      findings.push(...fetchNote(found, "model", config, context));
    } catch (error) {
      if (!(error instanceof ThawError)) throw error;
      modelError = error;
    }
  for (const text of names.data)
    try {
      const name = parseHubName(text, "dataset");
      const found = await findSnapshot(name, dataFiles(name.path), context);
      if (found.missing.length === 0) data.set(text, localOf(found));
      findings.push(...fetchNote(found, text, config, context));
    } catch (error) {
      if (!(error instanceof ThawError)) throw error;
      findings.push(hubFinding(error, text, config));
    }
  const local = withFolders(config, { model, data });
  return { config: modelError === undefined ? local : { ...local, modelError }, findings };
}

/** A folder that is enough to plan with, of a model's name on the hub. `@throws THAW_HUB_*` */
export async function plannedModel(text: string): Promise<string> {
  const { findSnapshot, HASTY, MODEL_FILES, parseHubName } = await import("@thaw/hub");
  const context: HubContext = { ...(await hubContext({})), patience: HASTY };
  return headersOf(await findSnapshot(parseHubName(text, "model"), MODEL_FILES, context), context);
}

/** What is wrong with a name: a note where it may be right, as the hub is not reached. */
export function hubFinding(error: ThawError, what: string, config: LoadedConfig): Finding {
  const settings = settingsOf(config, what);
  if (!PASSING.includes(error.code))
    return {
      rule: "config",
      severity: "error",
      message: error.message,
      fix: "Correct the name, or do what the hub asks for.",
      settings,
    };
  return {
    rule: "config",
    severity: "note",
    message: `What needs ${what === "model" ? "a checkpoint" : "its data"} was not checked. ${error.message}`,
    fix: "It is checked, and fetched, once it can be.",
    settings,
  };
}

function fetchNote(
  { name, files, missing }: Found,
  what: string,
  config: LoadedConfig,
  { settings: { cache } }: HubContext,
): readonly Finding[] {
  if (missing.length === 0) return [];
  const bytes = bytesText(missing.reduce((sum, file) => sum + file.bytes, 0));
  const here = files.length - missing.length;
  const count = missing.length === 1 ? "1 file" : `${missing.length} files`;
  const message =
    `Training fetches ${count} of ${name.name} from the hub first, ${bytes}, into ${cache}` +
    `${here === 0 ? "" : `; ${here} of its ${files.length} are there`}.`;
  const fix = "Nothing has to be done; what is in the cache is not fetched again.";
  return [{ rule: "config", severity: "note", message, fix, settings: settingsOf(config, what) }];
}

/** The settings that name it: the model's, or those whose value is the name. */
export function settingsOf({ settings }: LoadedConfig, what: string): Finding["settings"] {
  return settings.filter(({ path, value }) =>
    what === "model" ? path === "model" || path.startsWith("model.") : value === what,
  );
}

const made = new Map<string, Promise<string>>();

/** The model's snapshot where it is whole, else a folder of its headers, which is gone when the process ends. */
async function headersOf(found: Found, context: HubContext): Promise<string> {
  if (found.missing.length === 0) return found.folder;
  const known = made.get(found.folder);
  if (known !== undefined) return known;
  const { writeHeaders } = await import("@thaw/hub");
  const folder = mkdtempSync(join(tmpdir(), "thaw-headers-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const making = writeHeaders(found, folder, context).then(() => folder);
  made.set(found.folder, making);
  making.catch(() => made.delete(found.folder));
  return making;
}
