import { longestPrefix, type Model } from "@thaw/core";

/**
 * The name that transformers' module tree has for a checkpoint's module or parameter; one that it has already stays.
 */
export function moduleName({ moduleNames = [] }: Pick<Model, "moduleNames">, name: string): string {
  const names = new Map(moduleNames);
  const prefix = longestPrefix(name, names.keys()) ?? "";
  return (names.get(prefix) ?? "") + name.slice(prefix.length);
}
