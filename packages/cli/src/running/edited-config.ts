import { relative } from "node:path";
import { toCamelCase, type Setting } from "@thaw/core";
import { loadConfig, type LoadedConfig } from "../config/load-config.js";
import { isPlainConfig } from "../config/plain-config.js";

/** Where a run's config came from, as its `config.json` says. */
interface Source {
  readonly file?: string;
  readonly stage?: string;
  readonly overrides?: readonly string[];
  readonly settings?: readonly Setting[];
}

/**
 * Says what the file that a run was started with says otherwise by now, which a run that goes on does not follow.
 * Undefined where nothing differs, the file is gone, or it is not data alone: code is not run for a comparison.
 */
export async function editedConfigLine(config: LoadedConfig): Promise<string | undefined> {
  const { file, stage, overrides = [], settings = [] } = (config.saved["$saved"] ?? {}) as Source;
  if (file === undefined || !(await isPlainConfig(file))) return undefined;
  const whole = await loadConfig(file, { savedOverrides: overrides, requires: "nothing" }).catch(() => undefined);
  const now = whole?.stages.find(({ name }) => name === stage)?.config ?? whole;
  if (now === undefined) return undefined;
  const [before, after] = [settings, now.settings].map(byPath) as [
    ReadonlyMap<string, Setting>,
    ReadonlyMap<string, Setting>,
  ];
  const differences = [...new Set([...before.keys(), ...after.keys()])].flatMap((path) => {
    const [old, edited] = [before.get(path), after.get(path)];
    const [was, is] = [text(old), text(edited)];
    return was === is ? [] : [`${(edited ?? old)!.path} (${was} -> ${is})`];
  });
  if (differences.length === 0) return undefined;
  return (
    `The run goes on with its own config. ${relative(process.cwd(), file)} differs by now in ` +
    `${differences.join(", ")}; give with --set what is to change.`
  );
}

function byPath(settings: readonly Setting[]): ReadonlyMap<string, Setting> {
  return new Map(settings.map((setting) => [setting.path.split(".").map(toCamelCase).join("."), setting]));
}

function text(setting: Setting | undefined): string {
  return setting === undefined ? "not set" : (JSON.stringify(setting.value) ?? "code");
}
