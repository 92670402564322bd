import { toCamelCase, toSnakeCase, type Setting } from "@thaw/core";

/**
 * Settings at or below a path of Thaw's words, whatever case or words the user has for its keys. `path` is in snake
 * case.
 */
export function settingsUnder(settings: readonly Setting[], path: readonly string[]): readonly Setting[] {
  return settings.filter((setting) => {
    const segments = normalPath(setting);
    return path.every((segment, index) => segments[index] === segment);
  });
}

/** The segments of what a setting means in Thaw's words, in snake case. */
export function normalPath(setting: Setting): readonly string[] {
  return (setting.means?.path ?? setting.path).split(".").map(toSnakeCase);
}

/** `training.learning_rate: 0`, the setting as the user wrote it; `--vit_lr 1e-5` for a command-line argument. */
export function describeSetting(setting: Setting): string {
  if (setting.path.startsWith("--"))
    return `${setting.path} ${Array.isArray(setting.value) ? setting.value.join(" ") : String(setting.value)}`;
  const value = typeof setting.value === "string" ? setting.value : (JSON.stringify(setting.value) ?? "code");
  return `${setting.path}: ${value}`;
}

/** ` (thaw.yaml:7)`, ` (preset, stage1.yaml:3)`, ` (default)`; nothing for settings given in code. */
export function whereSet(setting: Setting): string {
  if (setting.origin === "default") return " (default)";
  const place =
    setting.file === undefined
      ? ""
      : `${setting.file.split(/[\\/]/).at(-1)!}${setting.line === undefined ? "" : `:${setting.line}`}`;
  if (setting.origin === "preset") return ` (preset${place === "" ? "" : `, ${place}`})`;
  return place === "" ? "" : ` (${place})`;
}

/** The setting in backticks, then its place. */
export function quotedSetting(setting: Setting): string {
  return `\`${describeSetting(setting)}\`${whereSet(setting)}`;
}

/** Joins with commas and a last `and`; a long list is cut. */
export function listed(items: readonly string[], limit = 6): string {
  if (items.length > limit) return `${items.slice(0, limit - 1).join(", ")} and ${items.length - limit + 1} more`;
  return items.length <= 1 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)!}`;
}

/**
 * The style of the user's keys, for suggestions: `camel` where their own keys show it, or where settings come from
 * code.
 */
export function spelledLike(settings: readonly Setting[], key: string): string {
  const own = settings.filter(({ origin }) => origin === "explicit");
  const usesCamel = own.some(({ path }) => /[a-z0-9][A-Z]/.test(path));
  const usesSnake = own.some(({ path }) => /[a-z0-9]_[a-z0-9]/.test(path));
  const isCode = own.length > 0 && own.every(({ file }) => file === undefined || /\.[cm]?[jt]s$/.test(file));
  const camel = toCamelCase(key);
  return usesCamel && !usesSnake ? camel : usesSnake || !isCode ? key : camel;
}
