import { toCamelCase, toSnakeCase, type Setting } from "@thaw/core";

/** How a file spells its keys. */
export type KeyStyle = "snake" | "camel";

/** A key in the given style. */
export function inStyle(name: string, style: KeyStyle): string {
  return style === "snake" ? toSnakeCase(name) : toCamelCase(name);
}

/**
 * The style that the user's own keys have; without a telling key, camel case for code and snake case for data files.
 */
export function styleOf(settings: readonly Setting[]): KeyStyle {
  const own = settings.filter(({ origin }) => origin === "explicit");
  for (const { path } of own) {
    if (/[a-z0-9]_[a-z0-9]/.test(path)) return "snake";
    if (/[a-z0-9][A-Z]/.test(path)) return "camel";
  }
  const file = own.find((setting) => setting.file !== undefined)?.file;
  return file !== undefined && /\.(ya?ml|json)$|rc$/.test(file) ? "snake" : "camel";
}
