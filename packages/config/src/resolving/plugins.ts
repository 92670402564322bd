import { existsSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Plugin, PluginDefinition, PluginFactory, Provider } from "@thaw/core";
import { notAPlugin, packageNotFound, pluginThrew } from "../errors.js";
import { configKind } from "../reading/discover.js";
import { moduleLoader, type ModuleAliases } from "../reading/read-code.js";
import { candidateNames, resolvePackage } from "../reading/read-layers.js";
import { isData, refuseCode, type Trust, type TrustedPlugin } from "../reading/trust.js";
import { placeOf, writtenValue, type ConfigNode } from "../words/tree.js";

/** A factory of any options: its section is validated by its own schema. */
export type AnyPluginFactory = PluginFactory<unknown, unknown>;

/** A plugin that a config names: a factory that takes its section, or one that a program already made. */
export type NamedPlugin = (
  | { readonly kind: "factory"; readonly factory: AnyPluginFactory }
  | { readonly kind: "made"; readonly plugin: Plugin }
) & {
  /** Where a config names it, for messages: `plugins.0 (thaw.config.yaml:3:5)`; absent for built-in ones. */
  readonly place?: string;
};

/** The plugin's own name. */
export function pluginName(named: NamedPlugin): string {
  return named.kind === "factory" ? named.factory.definition.name : named.plugin.name;
}

/** What the plugin provides and needs, which is known before its options are. */
export function providerOf(named: NamedPlugin): Provider & { readonly place?: string } {
  const { name, provides, needs } = named.kind === "factory" ? named.factory.definition : named.plugin;
  return { name, provides, needs, place: named.place };
}

/** Key of the plugin's section, if it has one. */
export function sectionKey(named: NamedPlugin): string | undefined {
  return named.kind === "factory" ? named.factory.definition.configKey : named.plugin.configKey;
}

/** Schema of the plugin's section; a plugin that a program made takes no section. */
export function sectionSchema(named: NamedPlugin): PluginDefinition<unknown, unknown>["optionsSchema"] {
  return named.kind === "factory" ? named.factory.definition.optionsSchema : undefined;
}

/** Where plugins are loaded from. */
export interface PluginLoading {
  readonly alias?: ModuleAliases;
  /** Whose word counts for plugins that data names. */
  readonly trust: Trust;
}

/**
 * Loads what the `plugins` lists of all layers name, base first; each name counts once, the last one stays.
 * Names and paths are resolved from the file that gives them; those of data from the user's config that names them
 * too. `@throws THAW_PLUGIN_*, THAW_CONFIG_UNTRUSTED`.
 */
export async function loadPlugins(
  lists: readonly ConfigNode[],
  loading: PluginLoading,
): Promise<readonly NamedPlugin[]> {
  const byName = new Map<string, NamedPlugin>();
  for (const item of lists.flatMap(flatItems)) {
    const named = await loadPlugin(item, loading);
    byName.delete(pluginName(named));
    byName.set(pluginName(named), named);
  }
  return [...byName.values()];
}

/** Presets are arrays inside the list; falsy entries (`isDebug && plugin()`) are left out. */
function flatItems(node: ConfigNode): readonly ConfigNode[] {
  if (node.kind === "list") return [...(node.children ?? [])].flatMap(([, child]) => flatItems(child));
  return node.kind === "leaf" && (node.value === false || node.value === null || node.value === "") ? [] : [node];
}

/** A plugin's name as configs write it, with a path made absolute: two configs that give it equally mean one plugin. */
export function pluginText(item: ConfigNode): string {
  const name = String(item.value);
  return isPath(name) ? resolve(item.layer.folder, name) : name;
}

/** The texts of all plugins that lists name, with the file that packages are found from. */
export function namedPlugins(lists: readonly ConfigNode[]): readonly TrustedPlugin[] {
  return lists
    .flatMap(flatItems)
    .flatMap((item) => (typeof item.value === "string" ? [{ name: pluginText(item), from: fileOf(item) }] : []));
}

function isPath(name: string): boolean {
  return /^\.{1,2}([\\/]|$)/.test(name) || isAbsolute(name);
}

function fileOf({ layer }: ConfigNode): string {
  return layer.file ?? join(layer.folder, "thaw.config.json");
}

/**
 * Where a plugin is loaded from. Of what data names, only the user's own entry of that name counts: neither a path of
 * the data's nor a package that lies beside it.
 */
async function trustedPlugin(item: ConfigNode, trust: Trust): Promise<TrustedPlugin> {
  const name = pluginText(item);
  if (trust === "all" || !isData(item.layer)) return { name, from: fileOf(item) };
  const names = new Set(isPath(name) ? [name] : candidateNames("plugin", name));
  const own = (await trust()).plugins.find((plugin) =>
    isPath(plugin.name) ? names.has(plugin.name) : candidateNames("plugin", plugin.name).some((one) => names.has(one)),
  );
  return (
    own ??
    refuseCode(
      item.layer,
      item.path,
      `The plugin ${JSON.stringify(name)} is code`,
      "Name it in the plugins of the config of your working folder (thaw.config.yaml).",
    )
  );
}

async function loadPlugin(item: ConfigNode, { alias, trust }: PluginLoading): Promise<NamedPlugin> {
  const where = `plugins (${placeOf(item, "value")})`;
  if (typeof item.value !== "string") return asPlugin(writtenValue(item), "the entry", where);
  const { name, from } = await trustedPlugin(item, trust);
  const file = isPath(name) ? name : await resolvePackage("plugin", name, from, where);
  if (isPath(name) && !existsSync(file)) throw packageNotFound("plugin", String(item.value), [file], where);
  let loaded: unknown;
  try {
    // Plain JavaScript is imported by Node itself: the modules it shares with Thaw stay one.
    const isJavaScript = configKind(file) === "code" && /\.m?js$/.test(file);
    loaded = isJavaScript
      ? ((await import(pathToFileURL(file).href)) as { default?: unknown }).default
      : await (await moduleLoader(from, alias)).import(file, { default: true });
  } catch (cause) {
    throw pluginThrew(name, file, cause, where);
  }
  return asPlugin(loaded, name, where);
}

function asPlugin(value: unknown, name: string, where: string): NamedPlugin {
  if (typeof value === "function" && isPlugin((value as Partial<AnyPluginFactory>).definition))
    return { kind: "factory", factory: value as AnyPluginFactory, place: where };
  if (isPlugin(value)) return { kind: "made", plugin: value as Plugin, place: where };
  throw notAPlugin(
    name,
    value === undefined
      ? "absent"
      : typeof value === "function"
        ? "a function without a plugin's definition"
        : `a ${typeof value}`,
    where,
  );
}

/** A plugin taps hooks, or provides something. */
function isPlugin(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { name, apply, provides } = value as Partial<Plugin>;
  return typeof name === "string" && (typeof apply === "function" || typeof provides === "object");
}
