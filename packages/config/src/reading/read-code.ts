import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import type { Jiti } from "jiti";
import { configThrew, configUnreadable } from "../errors.js";
import type { Layer, Position, ReadLayer } from "./layer.js";

/**
 * Module names that config files import, and the files that this process loads for them. Code in TypeScript gets the
 * modules that run already: another copy of them would have classes, registries and tensors of its own.
 */
export type ModuleAliases = Readonly<Record<string, string>>;

/**
 * A loader of TypeScript and JavaScript from the view of `file`. jiti is loaded on first use only: most configs are
 * YAML.
 */
export async function moduleLoader(file: string, alias: ModuleAliases = {}): Promise<Jiti> {
  const { createJiti } = await import("jiti");
  const loaded = Object.entries(alias).map(
    async ([name, path]) => [name, (await import(pathToFileURL(path).href)) as unknown] as const,
  );
  const virtualModules = Object.fromEntries(await Promise.all(loaded));
  return createJiti(pathToFileURL(file).href, { moduleCache: false, fsCache: false, virtualModules });
}

/** Loads a config that is code. Lines are found by looking for the keys in the text: best effort. */
export async function readCodeLayer(
  file: string,
  origin: Layer["origin"],
  label: string,
  alias?: ModuleAliases,
  namedIn?: string,
): Promise<ReadLayer> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw configUnreadable(file, cause, namedIn);
  }
  let value: unknown;
  try {
    value = await (await moduleLoader(file, alias)).import(file, { default: true });
    if (typeof value === "function") value = await (value as () => unknown)();
  } catch (cause) {
    throw configThrew(file, cause);
  }
  return {
    layer: { origin, file, folder: dirname(file), label, value, locate: (path) => findKey(text, path) },
    findings: [],
  };
}

/** The key's place in source text: each segment is looked for after the one before. */
export function findKey(text: string, path: readonly string[]): Position | undefined {
  let offset = 0;
  let found = -1;
  for (const segment of path) {
    if (/^\d+$/.test(segment)) continue;
    const name = segment.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    const match = new RegExp(`(?<![\\w.$])(?:${name}|"${name}"|'${name}')\\s*[:,}]`).exec(text.slice(offset));
    if (match === null) return undefined;
    found = offset + match.index;
    offset = found + match[0].length;
  }
  if (found < 0) return undefined;
  const before = text.slice(0, found);
  return { line: before.split("\n").length, column: found - before.lastIndexOf("\n") };
}
