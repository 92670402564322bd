import { existsSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Plugin, PluginDefinition, PluginFactory } from "@thaw/core";
import { notAPlugin, packageNotFound, pluginThrew } from "../errors.js";
import { configKind } from "../reading/discover.js";
import { moduleLoader, type ModuleAliases } from "../reading/read-code.js";
import { resolvePackage } from "../reading/read-layers.js";
import { placeOf, writtenValue, type ConfigNode } from "../words/tree.js";

/** A factory of any options: its section is validated by its own schema. */
export type AnyPluginFactory = PluginFactory<unknown, unknown>;

/** A plugin that a config names: a factory that takes its section, or one that a program already made. */
export type NamedPlugin =
  | { readonly kind: "factory"; readonly factory: AnyPluginFactory }
  | { readonly kind: "made"; readonly plugin: Plugin };

/** The plugin's own name. */
export function pluginName(named: NamedPlugin): string {
  return named.kind === "factory" ? named.factory.definition.name : named.plugin.name;
}

/** Key of the plugin's section, if it has one. */
export function sectionKey(named: NamedPlugin): string | undefined {
  return named.kind === "factory" ? named.factory.definition.configKey : named.plugin.configKey;
}

/** Schema of the plugin's section; a plugin that a program made takes no section. */
export function sectionSchema(named: NamedPlugin): PluginDefinition<unknown, unknown>["optionsSchema"] {
  return named.kind === "factory" ? named.factory.definition.optionsSchema : undefined;
}

/**
 * Loads what the `plugins` lists of all layers name, base first; each name counts once, the last one stays.
 * Names and paths are resolved from the file that gives them. `@throws THAW_PLUGIN_*`.
 */
export async function loadPlugins(
  lists: readonly ConfigNode[],
  alias?: ModuleAliases,
): Promise<readonly NamedPlugin[]> {
  const byName = new Map<string, NamedPlugin>();
  for (const item of lists.flatMap(flatItems)) {
    const named = await loadPlugin(item, alias);
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

async function loadPlugin(item: ConfigNode, alias?: ModuleAliases): Promise<NamedPlugin> {
  const where = `plugins (${placeOf(item, "value")})`;
  if (typeof item.value !== "string") return asPlugin(writtenValue(item), "the entry", where);
  const name = item.value;
  const from = item.layer.file ?? join(item.layer.folder, "thaw.config.json");
  const isPath = /^\.{1,2}([\\/]|$)/.test(name) || isAbsolute(name);
  const file = isPath ? resolve(item.layer.folder, name) : await resolvePackage("plugin", name, from, where);
  if (isPath && !existsSync(file)) throw packageNotFound("plugin", name, [file], where);
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
  if (typeof value === "function" && typeof (value as Partial<AnyPluginFactory>).definition?.apply === "function")
    return { kind: "factory", factory: value as AnyPluginFactory };
  const plugin = value as Partial<Plugin> | null | undefined;
  if (
    typeof plugin === "object" &&
    plugin !== null &&
    typeof plugin.name === "string" &&
    typeof plugin.apply === "function"
  )
    return { kind: "made", plugin: plugin as Plugin };
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
