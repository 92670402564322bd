import { dirname } from "node:path";
import type { Layer } from "../reading/layer.js";
import { overrideLayer } from "../reading/overrides.js";
import { isData, NO_CODE, refuseCode, type Trust } from "../reading/trust.js";
import type { ModuleAliases } from "../reading/read-code.js";
import { readTree, type ConfigNode } from "../words/tree.js";
import { codePaths } from "./paths.js";
import { loadPlugins, pluginName, type AnyPluginFactory, type NamedPlugin } from "./plugins.js";

/** What a config may load that runs. */
export interface CodeOptions {
  /** Where discovery starts and `--set` paths begin. */
  readonly folder: string;
  /** Plugins that are always loaded. */
  readonly builtins?: readonly AnyPluginFactory[];
  /** Modules that configs in code may import although their folder has not installed them. */
  readonly alias?: ModuleAliases;
  /** The config is data, of a folder that may come from anywhere; without it, one that has `$saved` is. */
  readonly isData?: boolean;
  /** A config as a run saved it, below `values`, with the file that holds it: data. */
  readonly saved?: { readonly file: string; readonly value: unknown };
  /** `a.b=c` texts that a saved config came with, below `overrides`: data. */
  readonly savedOverrides?: readonly string[];
  /** What data may name although it is code; nothing without it. */
  readonly trust?: Trust;
}

const trustNothing: Trust = () => Promise.resolve(NO_CODE);

/** The layer of a config that a run saved, where it is not a file of its own. */
export function savedLayers({ saved }: CodeOptions): readonly Layer[] {
  if (saved === undefined) return [];
  const { file, value } = saved;
  return [
    { origin: "explicit", file, folder: dirname(file), label: file, value, isData: true, locate: () => undefined },
  ];
}

/** The layer of what a run was given by `--set`, as its folder tells. */
export function savedOverrideLayers({ savedOverrides = [], folder, trust }: CodeOptions): readonly Layer[] {
  if (savedOverrides.length === 0) return [];
  return [{ ...overrideLayer(savedOverrides, folder), label: "--set of the saved run", isData: trust !== "all" }];
}

/**
 * The places that a config loads libraries and addons from. Data may choose only those that the user's own config names
 * too. `@throws THAW_CONFIG_UNTRUSTED`.
 */
export async function trustedPaths(root: ConfigNode, trust: Trust = trustNothing): Promise<readonly string[]> {
  const leaves = codePaths(root);
  for (const leaf of leaves) {
    if (trust === "all" || !isData(leaf.layer) || (await trust()).paths.includes(String(leaf.value))) continue;
    refuseCode(
      leaf.layer,
      leaf.path,
      `Code would be loaded from ${JSON.stringify(leaf.value)}`,
      "Name that folder in the config of your working folder (thaw.config.yaml), or leave it out with " +
        `--set ${leaf.path.join(".")}=null.`,
    );
  }
  return leaves.map(({ value }) => String(value));
}

/** Built-in plugins and those that the layers name. `@throws THAW_PLUGIN_*, THAW_CONFIG_UNTRUSTED`. */
export async function pluginsOf(layers: readonly Layer[], options: CodeOptions): Promise<readonly NamedPlugin[]> {
  const builtins = (options.builtins ?? []).map((factory): NamedPlugin => ({ kind: "factory", factory }));
  const given = await loadPlugins(pluginLists(layers), {
    trust: options.trust ?? trustNothing,
    ...(options.alias === undefined ? {} : { alias: options.alias }),
  });
  const byName = new Map([...builtins, ...given].map((plugin) => [pluginName(plugin), plugin]));
  return [...byName.values()];
}

/** The `plugins` lists of layers, in their order; what the command line says, also nothing, stands for all files. */
export function pluginLists(layers: readonly Layer[]): readonly ConfigNode[] {
  const isSaid = ({ value }: Layer): boolean => typeof value === "object" && value !== null && "plugins" in value;
  const last = layers.findLast((layer) => layer.replacesLists === true && isSaid(layer));
  return (last === undefined ? layers : [last]).flatMap((layer) => {
    const list = (layer.value as Record<string, unknown> | null | undefined)?.["plugins"];
    return Array.isArray(list)
      ? [readTree(layer, layer.value, undefined, () => undefined).children!.get("plugins")!]
      : [];
  });
}
