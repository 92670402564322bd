import type { Setting } from "@thaw/core";

/** How a file spells its keys. */
export type KeyStyle = "snake" | "camel";

/** `trainMmProjOnly` becomes `train_mm_proj_only`; a name that is snake case already stays. */
export function toSnakeCase(name: string): string {
  return name.replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase();
}

/** `train_mm_proj_only` becomes `trainMmProjOnly`; a name that is camel case already stays. */
export function toCamelCase(name: string): string {
  return name.replaceAll(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

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
