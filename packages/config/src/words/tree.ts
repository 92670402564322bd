import { shown, type Finding, type Setting } from "@thaw/core";
import { describePlace, locateNearest, type Layer } from "../reading/layer.js";
import { allowsNull, itemShape, meaningOf, objectVariants, type Shape } from "../checking/shape.js";

/** A value of the config with its provenance. Mappings and lists have `children` by normal key or index. */
export interface ConfigNode {
  readonly kind: "map" | "list" | "leaf" | "removed";
  /** Of leaves. */
  readonly value?: unknown;
  readonly children?: ReadonlyMap<string, ConfigNode>;
  readonly layer: Layer;
  /** As the user spelt it. */
  readonly path: readonly string[];
  readonly shape?: Shape;
}

/**
 * A layer's values under their normal keys. Two spellings of one key with different values are reported; the first one
 * counts.
 */
export function readTree(
  layer: Layer,
  value: unknown,
  shape: Shape | undefined,
  report: (finding: Finding) => void,
): ConfigNode {
  return readNode(layer, value, shape, [], undefined, report);
}

function readNode(
  layer: Layer,
  value: unknown,
  shape: Shape | undefined,
  path: readonly string[],
  parentKey: string | undefined,
  report: (finding: Finding) => void,
): ConfigNode {
  const base = { layer, path, ...(shape === undefined ? {} : { shape }) };
  if (value === null && !allowsNull(shape)) return { ...base, kind: "removed" };
  if (Array.isArray(value)) {
    const children = value.map((item, index): [string, ConfigNode] => [
      String(index),
      readItem(layer, item, itemShape(shape, index), [...path, String(index)], report),
    ]);
    return { ...base, kind: "list", children: new Map(children) };
  }
  if (!isPlainObject(value)) return { ...base, kind: "leaf", value };
  const children = new Map<string, ConfigNode>();
  for (const [spelling, entry] of Object.entries(value)) {
    if (entry === undefined) continue;
    const meaning = meaningOf(spelling, parentKey, shape);
    const node = readNode(layer, entry, meaning.shape, [...path, spelling], meaning.key, report);
    const earlier = children.get(meaning.key);
    if (earlier === undefined) children.set(meaning.key, node);
    else if (JSON.stringify(plainValue(earlier)) !== JSON.stringify(plainValue(node)))
      report(aliasesDisagree(earlier, node));
  }
  return { ...base, kind: "map", children };
}

function readItem(
  layer: Layer,
  item: unknown,
  shape: Shape | undefined,
  path: readonly string[],
  report: (finding: Finding) => void,
): ConfigNode {
  return item === null
    ? { layer, path, kind: "leaf", value: null }
    : readNode(layer, item, shape, path, undefined, report);
}

/**
 * `over` on top of `base`: mappings merge, `null` removes, anything else replaces. A mapping with another `type`
 * replaces the whole.
 */
export function mergeTrees(base: ConfigNode | undefined, over: ConfigNode): ConfigNode | undefined {
  if (over.kind === "removed") return undefined;
  const isJoined = over.path.length === 1 && over.path[0] === "plugins" && over.layer.replacesLists !== true;
  if (over.kind === "list" && base?.kind === "list" && isJoined) return joinLists(base, over);
  if (over.kind !== "map") return over;
  const isSameKind = base?.kind === "map" && !isOtherVariant(base, over);
  const children = new Map(isSameKind ? base.children : []);
  for (const [key, child] of over.children ?? []) {
    const merged = mergeTrees(children.get(key), child);
    if (merged === undefined) children.delete(key);
    else children.set(key, merged);
  }
  return { ...over, children };
}

/** `plugins` of several layers are one list; of equal entries the last one stays. */
function joinLists(base: ConfigNode, over: ConfigNode): ConfigNode {
  const added = [...(over.children ?? [])].map(([, child]) => child);
  const values = new Set(added.map((child) => child.value));
  const kept = [...(base.children ?? [])]
    .map(([, child]) => child)
    .filter((child) => child.kind !== "leaf" || !values.has(child.value));
  return { ...over, children: new Map([...kept, ...added].map((child, index) => [String(index), child])) };
}

function isOtherVariant(base: ConfigNode, over: ConfigNode): boolean {
  if (objectVariants(over.shape).length < 2) return false;
  const [left, right] = [base, over].map((node) => node.children?.get("type")?.value);
  return right !== undefined && left !== right;
}

/** Values under normal keys; undefined for an absent node. */
export function plainValue(node: ConfigNode | undefined): unknown {
  if (node === undefined || node.kind === "removed") return undefined;
  if (node.kind === "leaf") return node.value;
  if (node.kind === "list") return [...(node.children ?? [])].map(([, child]) => plainValue(child));
  return Object.fromEntries([...(node.children ?? [])].map(([key, child]) => [key, plainValue(child)]));
}

/** A node's value as its layer holds it: objects keep their identity. */
export function writtenValue(node: ConfigNode): unknown {
  return node.path.reduce<unknown>(
    (value, key) => (value as Record<string, unknown> | undefined)?.[key],
    node.layer.value,
  );
}

/** A copy with other leaf values. */
export function mapLeaves(node: ConfigNode, change: (leaf: ConfigNode) => unknown): ConfigNode {
  if (node.kind === "leaf") return { ...node, value: change(node) };
  return {
    ...node,
    children: new Map([...(node.children ?? [])].map(([key, child]) => [key, mapLeaves(child, change)])),
  };
}

/** The node at a path of normal keys, or the deepest one on the way. */
export function nodeAt(
  root: ConfigNode,
  path: readonly PropertyKey[],
): { readonly node: ConfigNode; readonly rest: readonly PropertyKey[] } {
  let node = root;
  for (let depth = 0; depth < path.length; depth++) {
    const next = node.children?.get(String(path[depth]));
    if (next === undefined) return { node, rest: path.slice(depth) };
    node = next;
  }
  return { node, rest: [] };
}

/** A copy without the node at a path of normal keys. */
export function withoutNode(root: ConfigNode, path: readonly PropertyKey[]): ConfigNode {
  const [head, ...rest] = path;
  const child = head === undefined ? undefined : root.children?.get(String(head));
  if (child === undefined) return root;
  const children = new Map(root.children);
  if (rest.length === 0) children.delete(String(head));
  else children.set(String(head), withoutNode(child, rest));
  return { ...root, children };
}

/** Leaves (and lists, whole) as settings, paths spelt as written. */
export function toSettings(node: ConfigNode | undefined): readonly Setting[] {
  if (node === undefined || node.kind === "removed") return [];
  const children = [...(node.children ?? [])];
  // An empty map inside a section asks for defaults (`lora: {}`); an empty section says nothing
  if (node.kind === "map" && (children.length > 0 || node.path.length < 2))
    return children.flatMap(([, child]) => toSettings(child));
  return [settingOf(node)];
}

/** One node as a setting. */
export function settingOf(node: ConfigNode, part: "key" | "value" = "key"): Setting {
  const position = locateNearest(node.layer, node.path, part);
  const { file, origin } = node.layer;
  return {
    path: node.path.join("."),
    value: plainValue(node),
    origin,
    ...(file === undefined ? {} : { file }),
    ...(position === undefined ? {} : { line: position.line }),
  };
}

/** `file:line:column` of a node. */
export function placeOf(node: ConfigNode, part: "key" | "value" = "key"): string {
  return describePlace(node.layer, locateNearest(node.layer, node.path, part));
}

function aliasesDisagree(first: ConfigNode, second: ConfigNode): Finding {
  const [left, right] = [first, second].map(
    (node) => `${node.path.join(".")}: ${shown(plainValue(node))} (${placeOf(node)})`,
  );
  return {
    rule: "aliases-disagree",
    severity: "error",
    message: `Two spellings of one option have different values: ${left} and ${right}.`,
    fix: `Keep one of them, for example ${first.path.join(".")}.`,
    settings: [settingOf(first), settingOf(second)],
  };
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value) as unknown;
  return prototype === Object.prototype || prototype === null;
}
