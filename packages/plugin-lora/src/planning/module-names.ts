import type { Model } from "@thaw/core";

/**
 * The name that transformers' module tree has for a checkpoint's module or parameter; one that it has already stays.
 */
export function moduleName({ moduleNames = [] }: Pick<Model, "moduleNames">, name: string): string {
  let best: readonly [string, string] = ["", ""];
  for (const pair of moduleNames) if (pair[0].length > best[0].length && isPrefix(pair[0], name)) best = pair;
  return best[1] + name.slice(best[0].length);
}

function isPrefix(prefix: string, name: string): boolean {
  return name === prefix || name.startsWith(`${prefix}.`);
}
