import { dirname } from "node:path";
import type { Finding, Plugin, Setting, StandardSchema } from "@thaw/core";
import { discoverConfig } from "./discover.js";
import { finding, issueFindings, issuesOf, unknownKey } from "./issues.js";
import type { Layer } from "./layer.js";
import { overrideLayer, programLayer } from "./overrides.js";
import { resolvePaths } from "./paths.js";
import { loadPlugins, pluginName, sectionKey, sectionSchema, type AnyPluginFactory, type NamedPlugin } from "./plugins.js";
import type { ModuleAliases } from "./read-code.js";
import { readLayers } from "./read-layers.js";
import { configSchema, type ResolvedValues } from "./schema.js";
import { shapeOf, type Shape } from "./shape.js";
import { mergeTrees, plainValue, readTree, toSettings, withoutNode, type ConfigNode } from "./tree.js";

/** Where a config comes from and what it must say. */
export interface ResolveOptions {
  /** Where discovery starts and `--set` paths begin. */
  readonly folder: string;
  /** A file or folder; without it cosmiconfig searches. `null`: no file at all, only `values` and `overrides`. */
  readonly config?: string | null;
  /** `a.b=c` texts; they win. */
  readonly overrides?: readonly string[];
  /** Values of a program, on top of the file. */
  readonly values?: unknown;
  /** Schemas of the host's own top-level sections, e.g. `data`. */
  readonly sections?: Readonly<Record<string, StandardSchema>>;
  /** Plugins that are always loaded. */
  readonly builtins?: readonly AnyPluginFactory[];
  /** What must be there: `plan` and `check` need the model alone. */
  readonly requires?: "nothing" | "model" | "training";
  /** Modules that configs in code may import although their folder has not installed them. */
  readonly alias?: ModuleAliases;
}

/** A config, read and validated. Where `findings` holds an error, `values` holds what is valid, with defaults for the rest. */
export interface ResolvedConfig {
  readonly file?: string;
  readonly folder: string;
  readonly values: ResolvedValues;
  /** The host's sections, defaults filled in; without those that are invalid. */
  readonly sections: Readonly<Record<string, unknown>>;
  /** Every setting that a user or a preset gave. */
  readonly settings: readonly Setting[];
  /** Every value that a schema filled in, paths in camelCase. */
  readonly defaults: readonly Setting[];
  readonly findings: readonly Finding[];
  /** True where an error leaves open what is to be trained: nothing can be planned. */
  readonly isPlannable: boolean;
  /** In the order given, built-in ones first; without those whose section is invalid. */
  readonly plugins: readonly Plugin[];
  /** All plugins that were found, for schemas and messages. */
  readonly named: readonly NamedPlugin[];
}

/**
 * Finds a config, reads it with all that it extends, and validates it strictly. What is wrong in the values is returned as findings, all at once.
 * `@throws THAW_CONFIG_*` for files that cannot be found or loaded, `THAW_PLUGIN_*` and `THAW_PRESET_*` for packages.
 */
export async function resolveConfig(options: ResolveOptions): Promise<ResolvedConfig> {
  const file = options.config === null ? undefined : await discoverConfig(options.folder, options.config);
  const read = file === undefined ? { layers: [], findings: [] } : await readLayers(file, { folder: options.folder, ...(options.alias === undefined ? {} : { alias: options.alias }) });
  const layers: readonly Layer[] = [
    ...read.layers,
    ...(options.values === undefined ? [] : [programLayer(options.values, options.folder)]),
    ...(options.overrides === undefined || options.overrides.length === 0 ? [] : [overrideLayer(options.overrides, options.folder)]),
  ];
  const findings: Finding[] = [...read.findings];
  const named = await pluginsOf(layers, options);
  const hosts = options.sections ?? {};
  const root = mergedTree(layers, configShape(hosts, named), findings);
  const result = validate(root, hosts, named, findings);
  requirements(root, options.requires ?? "model", findings);
  return {
    ...(file === undefined ? {} : { file }),
    folder: file === undefined ? options.folder : dirname(file),
    ...result,
    settings: toSettings(withoutNode(withoutNode(root, ["extends"]), ["$schema"])),
    findings,
    isPlannable: !findings.some((entry) => entry.severity === "error" && blocksPlanning(entry)),
    named,
  };
}

async function pluginsOf(layers: readonly Layer[], options: ResolveOptions): Promise<readonly NamedPlugin[]> {
  const lists = layers.flatMap((layer) => {
    const list = (layer.value as Record<string, unknown> | undefined)?.["plugins"];
    return Array.isArray(list) ? [readTree(layer, layer.value, undefined, () => undefined).children!.get("plugins")!] : [];
  });
  const builtins = (options.builtins ?? []).map((factory): NamedPlugin => ({ kind: "factory", factory }));
  const given = await loadPlugins(lists, options.alias);
  const byName = new Map([...builtins, ...given].map((plugin) => [pluginName(plugin), plugin]));
  return [...byName.values()];
}

/** The shape of a whole config: own keys, the host's sections, the plugins' sections. */
export function configShape(hosts: Readonly<Record<string, StandardSchema>>, named: readonly NamedPlugin[]): Shape {
  const own = shapeOf(configSchema) ?? {};
  const added = named.flatMap((plugin): [string, Shape][] => (sectionKey(plugin) === undefined ? [] : [[sectionKey(plugin)!, shapeOf(sectionSchema(plugin)) ?? {}]]));
  const hosted = Object.entries(hosts).map(([key, schema]): [string, Shape] => [key, shapeOf(schema) ?? {}]);
  return { ...own, properties: { ...own.properties, ...Object.fromEntries([...hosted, ...added]) } };
}

function mergedTree(layers: readonly Layer[], shape: Shape, findings: Finding[]): ConfigNode {
  const empty: ConfigNode = { kind: "map", children: new Map(), layer: layers.at(-1) ?? programLayer({}, "."), path: [], shape };
  let root = empty;
  for (const layer of layers) {
    if (layer.value === undefined || layer.value === null) continue;
    const tree = readTree(layer, layer.value, shape, (entry) => findings.push(entry));
    if (tree.kind !== "map") findings.push(finding(tree, `A config is a mapping, but ${layer.label} holds ${tree.kind === "list" ? "a list" : JSON.stringify(tree.value)}.`, "Write keys such as model: ./checkpoint."));
    else root = mergeTrees(root, tree) ?? empty;
  }
  return resolvePaths(root);
}

type Validated = Pick<ResolvedConfig, "values" | "sections" | "defaults" | "plugins">;

function validate(root: ConfigNode, hosts: Readonly<Record<string, StandardSchema>>, named: readonly NamedPlugin[], findings: Finding[]): Validated {
  const known = Object.keys(configSchema.shape);
  const sectionKeys = [...Object.keys(hosts), ...named.flatMap((plugin) => sectionKey(plugin) ?? [])];
  const own = new Map([...(root.children ?? [])].filter(([key]) => known.includes(key)));
  for (const key of root.children?.keys() ?? []) {
    if (!known.includes(key) && !sectionKeys.includes(key)) findings.push(unknownKey(root, key, sectionKeys));
  }
  const values = validValues({ ...root, children: own }, findings);
  const defaults = [...defaultsOf(values, { ...root, children: own }, [])];
  const sections: Record<string, unknown> = {};
  for (const [key, schema] of Object.entries(hosts)) {
    const checked = checkSection(key, schema, root, findings);
    if (!checked.isValid) continue;
    sections[key] = checked.value;
    defaults.push(...defaultsOf(checked.value, root.children?.get(key), [key]));
  }
  const plugins: Plugin[] = [];
  for (const plugin of named) {
    const made = makePlugin(plugin, root, findings);
    if (made !== undefined) plugins.push(made.plugin);
    defaults.push(...(made?.defaults ?? []));
  }
  return { values, sections, defaults, plugins };
}

/** A section against its schema; an absent one has the schema's defaults. */
function checkSection(key: string, schema: StandardSchema | undefined, root: ConfigNode, findings: Finding[]): { readonly isValid: boolean; readonly value?: unknown } {
  const node = root.children?.get(key);
  if (schema === undefined) return { isValid: true, value: plainValue(node) };
  if (node !== undefined) {
    const issues = issuesOf(schema, plainValue(node));
    findings.push(...issues.flatMap((issue) => issueFindings(root, { ...issue, path: [key, ...issue.path] })));
    if (issues.length > 0) return { isValid: false };
  }
  // A schema of a scalar wants undefined where it is absent, one of a mapping an empty mapping.
  const results = [plainValue(node), {}].map((value) => schema["~standard"].validate(value));
  const valid = results.find((result) => !(result instanceof Promise) && result.issues === undefined);
  return { isValid: true, value: valid === undefined || valid instanceof Promise || valid.issues !== undefined ? undefined : valid.value };
}

/** Valid values: what breaks the schema is reported and left out. */
function validValues(root: ConfigNode, findings: Finding[]): ResolvedValues {
  let tree = root.children?.has("model") === true ? root : withModel(root);
  for (let round = 0; round < 10; round++) {
    const parsed = configSchema.safeParse(plainValue(tree));
    if (parsed.success) return parsed.data;
    for (const issue of issuesOf(configSchema, plainValue(tree))) {
      if (round === 0) findings.push(...issueFindings(tree, issue));
      for (const path of issue.keys?.map((key) => [...issue.path, key]) ?? [issue.path]) tree = withModel(withoutDeepest(tree, path));
    }
  }
  return configSchema.parse({ model: "." });
}

function withModel(root: ConfigNode): ConfigNode {
  if (root.children?.has("model") === true) return root;
  const model: ConfigNode = { kind: "leaf", value: ".", layer: root.layer, path: ["model"] };
  return { ...root, children: new Map([...(root.children ?? []), ["model", model]]) };
}

/** Takes out the node, or the deepest one above it that exists (where a required key is missing). */
function withoutDeepest(root: ConfigNode, path: readonly PropertyKey[]): ConfigNode {
  for (let length = path.length; length > 0; length--) {
    const without = withoutNode(root, path.slice(0, length));
    if (JSON.stringify(plainValue(without)) !== JSON.stringify(plainValue(root))) return without;
  }
  return { ...root, children: new Map() };
}

function makePlugin(named: NamedPlugin, root: ConfigNode, findings: Finding[]): { readonly plugin: Plugin; readonly defaults: readonly Setting[] } | undefined {
  const key = sectionKey(named);
  const node = key === undefined ? undefined : root.children?.get(key);
  if (named.kind === "made") {
    if (node !== undefined) findings.push(finding(node, `The plugin ${named.plugin.name} has its options twice: where it was made in plugins, and in ${node.path.join(".")}.`, `Remove ${node.path.join(".")}, or name the plugin without options.`));
    return { plugin: named.plugin, defaults: [] };
  }
  if (key === undefined) return { plugin: named.factory(undefined, []), defaults: [] };
  const checked = checkSection(key, sectionSchema(named), root, findings);
  if (!checked.isValid) return undefined;
  return { plugin: named.factory(plainValue(node), toSettings(node)), defaults: [...defaultsOf(checked.value, node, [key])] };
}

/** Leaves of a filled-in value that no node stands for. */
function* defaultsOf(value: unknown, node: ConfigNode | undefined, path: readonly string[]): Generator<Setting> {
  if (value === undefined || (node !== undefined && node.kind !== "map")) return;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    if (node === undefined) yield { path: path.join("."), value, origin: "default" };
    return;
  }
  for (const [key, child] of Object.entries(value)) yield* defaultsOf(child, node?.children?.get(key), [...path, key]);
}

function requirements(root: ConfigNode, requires: "nothing" | "model" | "training", findings: Finding[]): void {
  const value = plainValue(root) as { model?: unknown; data?: { train?: unknown }; training?: { epochs?: unknown; maxSteps?: unknown } };
  const missing = (what: string, path: string, fix: string): void => {
    findings.push({ rule: "config", severity: "error", message: `${what} (${root.layer.label}).`, fix, settings: [{ path, value: undefined, origin: "default", ...(root.layer.file === undefined ? {} : { file: root.layer.file }) }] });
  };
  if (requires === "nothing") return;
  if (value.model === undefined) missing("model is missing", "model", "Add model: ./path/to/checkpoint, a Hugging Face checkpoint folder.");
  if (requires === "model") return;
  if (value.data?.train === undefined) missing("data.train is missing", "data.train", "Add data: { train: iconify:noto }, or the path of a JSONL file.");
  if (value.training?.epochs === undefined && value.training?.maxSteps === undefined) missing("The run has no end: training.epochs and training.max_steps are both missing", "training.epochs", "Add training: { epochs: 1 }.");
}

/** Errors elsewhere (data, output, rates) leave the plan as it is. */
function blocksPlanning(entry: Finding): boolean {
  const top = entry.settings[0]?.path.split(".")[0] ?? "";
  const isData = ["data", "output", "seed", "runName", "run_name"].includes(top) || (top === "training" && !/\bcomponents\b/.test(entry.settings[0]?.path ?? ""));
  return !isData;
}
