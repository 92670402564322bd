import { toCamelCase, toSnakeCase, type Setting } from "@thaw/core";
import { inStyle, styleOf, type KeyStyle } from "./spelling.js";

/**
 * A path inside the freeze section in canonical words: `["freezeVisionTower"]`, `["trainMmProjOnly"]`,
 * `["components", "vision_tower", "lastBlocks"]`.
 */
export type KeyPath = readonly string[];

/**
 * Says canonical keys in the words of the user's file, so that suggestions are spelt as the file is. Configs of other
 * tools (LLaMA-Factory, ms-swift) bring their own; what their settings mean is in `Setting.means`.
 */
export interface Vocabulary {
  /** The user's spelling of a canonical path; undefined where their format has no word for it. */
  write(path: KeyPath): string | undefined;
  /** One assignment as the user would type it: `freeze_vision_tower: true`. Undefined as with `write`. */
  assign(path: KeyPath, value: unknown): string | undefined;
}

/** The base flags by component. Other components have none. */
export const FLAG_OF_COMPONENT: Readonly<Record<string, string>> = {
  vision_tower: "freezeVisionTower",
  multi_modal_projector: "freezeMultiModalProjector",
  language_model: "freezeLanguageModel",
  audio_tower: "freezeAudioTower",
  audio_projector: "freezeAudioProjector",
};

/** Components that a model is taken to have where nothing says which it has. */
export const BASE_COMPONENTS: readonly string[] = ["vision_tower", "multi_modal_projector", "language_model"];

/** Defaults of the base flags: true is frozen. */
export const FLAG_DEFAULTS: Readonly<Record<string, boolean>> = {
  freezeVisionTower: true,
  freezeMultiModalProjector: true,
  freezeLanguageModel: false,
  freezeAudioTower: true,
  freezeAudioProjector: true,
};

/** Spellings beside the camel-case and snake-case form of the name itself. */
const ALIASES: Readonly<Record<string, string>> = { freezeLlm: "freezeLanguageModel" };

/** The components that the shortcut trains: projectors of every kind of item. */
export const SHORTCUT_COMPONENTS: readonly string[] = ["multi_modal_projector", "audio_projector"];
export const SHORTCUT = "trainMmProjOnly";

/** The section of a config that the policy reads. */
export const FREEZE_KEY = "freeze";

/**
 * Canonical path of a setting inside the freeze section; undefined for any other setting. Keys may be in either case.
 */
export function readKey(setting: Setting): KeyPath | undefined {
  const [head, first, ...rest] = segmentsOf(setting.means?.path ?? setting.path);
  if (head !== FREEZE_KEY || first === undefined) return undefined;
  const key = ALIASES[toCamelCase(first)] ?? toCamelCase(first);
  if (key !== "components") return [key, ...rest];
  const [component, ...inner] = rest;
  return component === undefined
    ? [key]
    : [key, toSnakeCase(component), ...inner.map((name, depth) => (depth === 0 ? toCamelCase(name) : name))];
}

/** The segments of a dotted path; `match[0]` and `match.0` are the same. */
export function segmentsOf(path: string): readonly string[] {
  return path.replaceAll(/\[(\d+)\]/g, ".$1").split(".");
}

/** Thaw's own words: keys in the style of the user's, `freezeLlm` for `freezeLanguageModel` where they use it. */
export function thawVocabulary(settings: readonly Setting[]): Vocabulary {
  const style: KeyStyle = styleOf(settings.filter(({ path }) => path.startsWith(`${FREEZE_KEY}.`)).concat(settings));
  const usesShortName = settings.some(({ path, origin }) => origin === "explicit" && /\.freeze(_l|L)lm$/.test(path));
  const spell = (key: string) => inStyle(key === "freezeLanguageModel" && usesShortName ? "freezeLlm" : key, style);
  return {
    write: (path) => [FREEZE_KEY, ...path.map(spell)].join("."),
    assign: (path, value) => assignment(path.map(spell), value),
  };
}

/** `components: { vision_tower: train }` for a path and its value, in YAML's flow form. */
function assignment(path: KeyPath, value: unknown): string {
  const [last, ...outer] = [...path].reverse();
  return outer.reduce((inner, key) => `${key}: { ${inner} }`, `${last}: ${valueText(value)}`);
}

/** A value as a YAML flow scalar, list or map. */
export function valueText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(valueText).join(", ")}]`;
  if (value !== null && typeof value === "object") {
    return `{ ${Object.entries(value)
      .map(([key, inner]) => `${key}: ${valueText(inner)}`)
      .join(", ")} }`;
  }
  return typeof value === "string" ? (/^[\w./-]+$/.test(value) ? value : JSON.stringify(value)) : String(value);
}
