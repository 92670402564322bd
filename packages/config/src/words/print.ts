import type { Setting } from "@thaw/core";
import { relative } from "node:path";

/** One line of `thaw config --print`. */
export interface PrintedSetting {
  readonly path: string;
  readonly value: string;
  /** `thaw.config.yaml:3`, `preset @thaw/preset-x:7`, `--set or program`, `default`. */
  readonly origin: string;
}

/** Given and filled-in settings, in the order of their top-level keys, each with where it comes from. */
export function printedSettings(
  settings: readonly Setting[],
  defaults: readonly Setting[],
  folder: string,
): readonly PrintedSetting[] {
  return [...settings, ...defaults].map((setting) => ({
    path: setting.path,
    value:
      typeof setting.value === "function"
        ? "(code)"
        : (JSON.stringify(setting.value, (_, value: unknown) => (typeof value === "function" ? "(code)" : value)) ??
          "(code)"),
    origin: originText(setting, folder),
  }));
}

function originText({ origin, file, line }: Setting, folder: string): string {
  if (origin === "default") return "default";
  const place =
    file === undefined ? "--set or program" : `${nearName(file, folder)}${line === undefined ? "" : `:${line}`}`;
  return origin === "preset" ? `preset ${place}` : place;
}

function nearName(file: string, folder: string): string {
  const near = relative(folder, file);
  return near.startsWith("..") ? file : near;
}
