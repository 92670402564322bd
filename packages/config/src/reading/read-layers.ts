import { existsSync } from "node:fs";
import { dirname, isAbsolute, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Finding } from "@thaw/core";
import { CONFIG_ENDINGS, configKind } from "./discover.js";
import { configKindUnknown, extendsCycle, packageNotFound } from "../errors.js";
import type { Layer } from "./layer.js";
import { moduleLoader, readCodeLayer, type ModuleAliases } from "./read-code.js";
import { readYamlLayer } from "./read-yaml.js";
import { isData, isSaved, refuseCode } from "./trust.js";

/** What reading a config and everything it extends needs to know. */
export interface ReadOptions {
  /** For labels: files below it are named relative to it. */
  readonly folder: string;
  readonly alias?: ModuleAliases;
  /** The files are data, whatever they say. */
  readonly isData?: boolean;
  /** Set where even data may name code. */
  readonly trustsAll?: boolean;
}

/** The layers of a file, base first, and their syntax findings. `@throws THAW_CONFIG_*, THAW_PRESET_NOT_FOUND`. */
export async function readLayers(
  file: string,
  options: ReadOptions,
): Promise<{ readonly layers: readonly Layer[]; readonly findings: readonly Finding[] }> {
  const findings: Finding[] = [];
  const layers = await readWithBases(file, "explicit", [], options, findings);
  return { layers, findings };
}

async function readWithBases(
  file: string,
  origin: Layer["origin"],
  chain: readonly string[],
  options: ReadOptions,
  findings: Finding[],
): Promise<readonly Layer[]> {
  const names = [...chain, file].map((name) => labelOf(name, options.folder));
  if (chain.includes(file)) throw extendsCycle(names);
  const kind = configKind(file);
  if (kind === undefined) throw configKindUnknown(file, CONFIG_ENDINGS);
  const label = labelOf(file, options.folder);
  const namedIn = names.at(-2);
  const isMarked = options.isData === true && options.trustsAll !== true;
  if (kind === "code" && isMarked)
    refuseCode(
      { origin, file, folder: dirname(file), label, value: undefined, locate: () => undefined },
      [],
      `The config ${label} is code`,
      "Give a config in JSON or YAML.",
    );
  const read =
    kind === "data"
      ? await readYamlLayer(file, origin, label, namedIn)
      : await readCodeLayer(file, origin, label, options.alias, namedIn);
  findings.push(...read.findings);
  const layer = { ...read.layer, isData: isMarked || (kind === "data" && isSaved(read.layer.value)) };
  return [...(await readBases(layer, file, chain, options, findings)), layer];
}

/** The layers of what a layer of `file` extends, base first. */
export async function readBases(
  layer: Layer,
  file: string,
  chain: readonly string[],
  options: ReadOptions,
  findings: Finding[],
): Promise<readonly Layer[]> {
  const bases: Layer[] = [];
  for (const name of extendsOf(layer.value)) {
    if (isData(layer) && options.trustsAll !== true)
      refuseCode(
        layer,
        ["extends"],
        `The config extends ${JSON.stringify(name)}, a file or package that may be code`,
        "Remove extends: a saved config holds all that it needs.",
      );
    const isPath =
      /^\.{1,2}([\\/]|$)/.test(name) ||
      isAbsolute(name) ||
      (configKind(name) !== undefined && existsSync(resolve(layer.folder, name)));
    const target = isPath ? resolve(layer.folder, name) : await resolvePackage("preset", name, file, layer.label);
    bases.push(...(await readWithBases(target, isPath ? layer.origin : "preset", [...chain, file], options, findings)));
  }
  return bases;
}

function extendsOf(value: unknown): readonly string[] {
  const named = typeof value === "object" && value !== null ? (value as Record<string, unknown>)["extends"] : undefined;
  return (Array.isArray(named) ? named : [named]).filter(
    (name): name is string => typeof name === "string" && name !== "",
  );
}

/** A file's name for messages. */
export function labelOf(file: string, folder: string): string {
  const near = relative(folder, file);
  return near.startsWith("..") || isAbsolute(near) ? file : near;
}

/** Names under which a short plugin or preset name may be published, in the order tried (libraries.md, section 2). */
export function candidateNames(kind: "plugin" | "preset", name: string): readonly string[] {
  const scoped = /^(@[^/]+)(?:\/(.+))?$/.exec(name);
  if (scoped === null)
    return new RegExp(`^thaw-${kind}-`).test(name) ? [name] : [`@thaw/${kind}-${name}`, `thaw-${kind}-${name}`, name];
  const [, scope, rest] = scoped;
  if (rest === undefined) return [`${scope}/thaw-${kind}`];
  if (new RegExp(`^(thaw-)?${kind}s?(-|/|$)`).test(rest)) return [name];
  return scope === "@thaw" ? [`@thaw/${kind}-${rest}`, name] : [`${scope}/thaw-${kind}-${rest}`, name];
}

/**
 * The file of a package, from the view of the file that names it. `@throws THAW_PLUGIN_NOT_FOUND,
 * THAW_PRESET_NOT_FOUND`.
 */
export async function resolvePackage(
  kind: "plugin" | "preset",
  name: string,
  fromFile: string,
  where: string,
): Promise<string> {
  const loader = await moduleLoader(fromFile);
  const candidates = candidateNames(kind, name);
  for (const candidate of candidates) {
    const found = loader.esmResolve(candidate, { try: true, conditions: ["node", "import", "default"] });
    if (found !== undefined) return found.startsWith("file:") ? fileURLToPath(found) : found;
  }
  throw packageNotFound(kind, name, candidates, where);
}
