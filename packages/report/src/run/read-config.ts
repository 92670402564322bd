import type { Setting } from "@thaw/core";
import type { RunChange, RunConfig } from "./run-data.js";

/** Reads what `config.json` holds; settings with their places are in its `$saved`. */
export function readConfig(saved: unknown): RunConfig {
  const { $saved, ...own } = isRecord(saved) ? saved : {};
  const { settings, file } = isRecord($saved) ? $saved : {};
  return {
    values: new Map(flat(own)),
    settings: Array.isArray(settings) ? (settings as readonly unknown[]).filter(isSetting) : [],
    ...(typeof file === "string" ? { file } : {}),
  };
}

/** What differs between the configs that a run had before and after it was taken up again. */
export function changedValues(before: RunConfig, after: RunConfig): RunChange["values"] {
  return [...new Set([...before.values.keys(), ...after.values.keys()])].flatMap((path) => {
    const [was, is] = [before.values.get(path) ?? "not set", after.values.get(path) ?? "not set"];
    return was === is ? [] : [`${path}: ${was}, then ${is}`];
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSetting(value: unknown): value is Setting {
  return isRecord(value) && typeof value["path"] === "string" && typeof value["origin"] === "string";
}

/** A config's values by dotted path. */
function flat(value: unknown, path = ""): readonly (readonly [string, string])[] {
  const isPlain = !Array.isArray(value) || value.every((item) => typeof item !== "object");
  const children = typeof value === "object" && value !== null ? Object.entries(value) : [];
  if (children.length === 0 || (Array.isArray(value) && isPlain))
    return path === "" ? [] : [[path, typeof value === "string" ? value : (JSON.stringify(value) ?? "")]];
  return children.flatMap(([key, inner]) => flat(inner, path === "" ? key : `${path}.${key}`));
}
