import { isSegmentPrefix, toCamelCase, type Plugin, type Setting } from "@thaw/core";
import { savedSchema, type ResolvedValues } from "../checking/schema.js";
import { pluginText } from "../resolving/plugins.js";
import { nodeAt, plainValue, writtenValue, type ConfigNode } from "../words/tree.js";

/** Where a saved config came from. */
export interface SavedSource {
  readonly file?: string;
  readonly overrides: readonly string[];
  /** The stage of that file's `stages`. */
  readonly stage?: string;
  readonly settings: readonly Setting[];
}

/** What `saved` reads of a resolved config. */
interface Resolved {
  readonly values: ResolvedValues;
  readonly sections: Readonly<Record<string, unknown>>;
  readonly plugins: readonly Plugin[];
}

/**
 * The config of a run folder: as `ResolvedConfig.saved` says. `$saved.hasCode` tells that plugins were given as
 * objects, which no file can hold.
 */
export function savedConfig(
  root: ConfigNode,
  resolved: Resolved,
  source: SavedSource,
): Readonly<Record<string, unknown>> {
  const { model, training, output, runName, seed } = resolved.values;
  const own = { model, training, output, runName, seed };
  const plugins = [...(root.children?.get("plugins")?.children?.values() ?? [])];
  const named = plugins.filter((item) => item.kind === "leaf" && typeof item.value === "string");
  const skipped = new Set([
    ...Object.keys(own),
    ...Object.keys(resolved.sections),
    "plugins",
    "extends",
    "$schema",
    "$saved",
  ]);
  const sections = [...(root.children ?? [])]
    .filter(([key]) => !skipped.has(key))
    .map(([key, node]) => [key, plainValue(node)]);
  const earlier = plainValue(root.children?.get("$saved")) as Record<string, unknown> | undefined;
  const hasCode = named.length < plugins.length || undefined;
  const settings = source.settings.map((setting) =>
    setting.path === "plugins" ? { ...setting, value: named.map(pluginText) } : setting,
  );
  return {
    ...own,
    ...resolved.sections,
    ...Object.fromEntries(sections),
    plugins: named.map(pluginText),
    $saved: earlier ?? { file: source.file, stage: source.stage, overrides: source.overrides, hasCode, settings },
  };
}

/**
 * The settings that a saved config came from, but for those that what lies on top replaces or removes, and those that
 * were given on top of it; all of `given` for any other config. `trees`: each layer's values alone.
 */
export function savedSettings(
  root: ConfigNode,
  given: readonly Setting[],
  trees: readonly ConfigNode[],
): readonly Setting[] {
  const node = root.children?.get("$saved");
  const read = savedSchema.safeParse(node === undefined ? undefined : writtenValue(node));
  const saved = read.success ? (read.data.settings as readonly Setting[] | undefined) : undefined;
  if (node === undefined || saved === undefined) return given;
  const added = given.filter(({ file }) => file !== node.layer.file);
  const replacing = added.map(({ path }) => normalPath(path));
  const isReplaced = (path: string): boolean => replacing.some((one) => isSegmentPrefix(path, one));
  const own = trees.find(({ layer }) => layer.file === node.layer.file);
  const isRemoved = (path: string): boolean => own !== undefined && holds(own, path) && !holds(root, path);
  return [...saved.filter(({ path }) => !isReplaced(normalPath(path)) && !isRemoved(normalPath(path))), ...added];
}

function holds(root: ConfigNode, path: string): boolean {
  return nodeAt(root, path.split(".")).rest.length === 0;
}

function normalPath(path: string): string {
  return path.split(".").map(toCamelCase).join(".");
}
