import { codeUntrusted } from "../errors.js";
import { describePlace, locateNearest, type Layer } from "./layer.js";

/** What the user's own config loads, and what a config that is data may therefore name. */
export interface TrustedCode {
  /** Plugins as the config lists them: names of packages, absolute paths. */
  readonly plugins: readonly TrustedPlugin[];
  /** Absolute folders and files that it names where code is loaded from. */
  readonly paths: readonly string[];
}

/** A plugin of the user's own config. */
export interface TrustedPlugin {
  /** As written; a path is absolute. */
  readonly name: string;
  /** The file that names it: packages are found from there. */
  readonly from: string;
}

/** Whose word counts for a config that is data; `all`: it may name whatever it likes. */
export type Trust = "all" | (() => Promise<TrustedCode>);

/** Nothing is trusted. */
export const NO_CODE: TrustedCode = { plugins: [], paths: [] };

/** True for a layer that is data: it names no code. */
export function isData(layer: Layer): boolean {
  return layer.isData === true;
}

/** True for what a run saved, which is data wherever it lies. */
export function isSaved(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.hasOwn(value, "$saved");
}

/** Refuses a key of a layer that is data. `@throws THAW_CONFIG_UNTRUSTED`. */
export function refuseCode(layer: Layer, path: readonly string[], what: string, fix: string): never {
  throw codeUntrusted({
    file: layer.file ?? layer.label,
    key: path.join("."),
    place: describePlace(layer, locateNearest(layer, path, "value")),
    what,
    fix,
  });
}
