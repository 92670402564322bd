import type { Setting } from "@thaw/core";
import { valueText } from "../intent/vocabulary.js";

/** `freeze.freeze_llm: true`, the setting as the user wrote it; `--freeze_llm true` for a command-line argument. */
export function describeSetting(setting: Setting): string {
  if (setting.path.startsWith("--"))
    return `${setting.path} ${Array.isArray(setting.value) ? setting.value.join(" ") : String(setting.value)}`;
  return `${setting.path}: ${valueText(setting.value)}`;
}

/**
 * ` (thaw.yaml:7)`, ` (preset llava, stage1.yaml:3)`, ` (default)` or nothing for settings given in code; with a
 * leading space.
 */
export function whereSet(setting: Setting): string {
  if (setting.origin === "default") return " (default)";
  const place =
    setting.file === undefined ? "" : baseName(setting.file) + (setting.line === undefined ? "" : `:${setting.line}`);
  if (setting.origin === "preset") return ` (preset${place === "" ? "" : `, ${place}`})`;
  return place === "" ? "" : ` (${place})`;
}

/** Both: `freeze.freeze_llm: true (thaw.yaml:7)`. */
export function settingWithPlace(setting: Setting): string {
  return describeSetting(setting) + whereSet(setting);
}

/** The same for a sentence: the setting in backticks, the place after it. */
export function quotedWithPlace(setting: Setting): string {
  return `\`${describeSetting(setting)}\`${whereSet(setting)}`;
}

/** Joins with commas and a last `and`. */
export function listed(items: readonly string[], last = "and"): string {
  if (items.length <= 1) return items.join("");
  return `${items.slice(0, -1).join(", ")} ${last} ${items.at(-1)!}`;
}

/** `vision_tower` becomes `the vision tower`. */
export function componentText(component: string): string {
  return `the ${component.replaceAll("_", " ").replace("multi modal", "multimodal")}`;
}

function baseName(file: string): string {
  return file.split(/[\\/]/).at(-1)!;
}
