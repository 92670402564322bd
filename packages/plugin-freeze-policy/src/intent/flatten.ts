import { append, type Setting } from "@thaw/core";

/**
 * A setting with an object value as one setting per leaf; any other as it is. Origin, file and line are kept. Arrays
 * and empty objects are leaves.
 */
export function flatten(setting: Setting): readonly Setting[] {
  const { value } = setting;
  if (value === null || typeof value !== "object" || Array.isArray(value) || isEmpty(value)) return [setting];
  return Object.entries(value).flatMap(([key, inner]) =>
    flatten({ ...setting, path: `${setting.path}.${key}`, value: inner }),
  );
}

/** The value that leaves `[path, value]` make up together: nested objects, arrays where all keys are numbers. */
export function assemble(leaves: readonly (readonly [readonly string[], unknown])[]): unknown {
  const whole = leaves.find(([path, value]) => path.length === 0 && (leaves.length === 1 || !isEmpty(value)));
  if (whole !== undefined) return whole[1];
  const groups = new Map<string, (readonly [readonly string[], unknown])[]>();
  for (const [[key, ...rest], value] of leaves) if (key !== undefined) append(groups, key, [rest, value]);
  const entries = [...groups].map(([key, inner]) => [key, assemble(inner)] as const);
  if (entries.length > 0 && entries.every(([key]) => /^\d+$/.test(key))) {
    return entries.sort(([left], [right]) => Number(left) - Number(right)).map(([, value]) => value);
  }
  return Object.fromEntries(entries);
}

/** True for `{}` (and `[]`). */
export function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
