import type { Setting } from "@thaw/contracts";

/**
 * Leaves of an options object given in code, as explicit settings `prefix.key.key`. An empty object inside is a leaf:
 * it asks for defaults.
 */
export function settingsOf(prefix: string, value: unknown): readonly Setting[] {
  return isEmptyObject(value) ? [] : leavesOf(prefix, value);
}

function leavesOf(path: string, value: unknown): readonly Setting[] {
  if (value === undefined) return [];
  if (typeof value !== "object" || value === null || Array.isArray(value) || isEmptyObject(value))
    return [{ path, value, origin: "explicit" }];
  return Object.entries(value).flatMap(([key, child]) => leavesOf(`${path}.${key}`, child));
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;
}

/** Joins lists of settings; the same setting from two lists is kept once. */
export function joinSettings(...lists: readonly (readonly Setting[])[]): readonly Setting[] {
  const seen = new Map<string, Setting>();
  for (const setting of lists.flat()) {
    const key = JSON.stringify([
      setting.path,
      setting.value,
      setting.origin,
      setting.file,
      setting.line,
      setting.means,
    ]);
    if (!seen.has(key)) seen.set(key, setting);
  }
  return [...seen.values()];
}
