import type { Edit } from "@thaw/core";
import { isMap, isScalar, parseDocument, type Document, type Pair, type YAMLMap } from "yaml";

/** The outcome of editing one file's text. */
export interface EditedText {
  readonly text: string;
  readonly done: readonly Edit[];
  /** Edits that this text does not allow: the path is not there, an alias or a merge key is in the way. */
  readonly skipped: readonly Edit[];
}

/**
 * Applies edits to a YAML or JSON text. Only the bytes of the edited keys and values change: comments, order, quotes
 * and indentation of everything else stay. Each edit is checked by parsing the result again; one that would change
 * anything else is skipped.
 */
export function applyEdits(text: string, edits: readonly Edit[]): EditedText {
  let current = text;
  const done: Edit[] = [];
  const skipped: Edit[] = [];
  for (const edit of edits) {
    const next = applyOne(current, edit);
    if (next === undefined) skipped.push(edit);
    else {
      current = next;
      done.push(edit);
    }
  }
  return { text: current, done, skipped };
}

function applyOne(text: string, edit: Edit): string | undefined {
  const document = parseDocument(text, { uniqueKeys: false });
  // A copy without shared parts: an anchor that is edited in one place must not change another.
  const wanted = JSON.parse(JSON.stringify(document.toJS() ?? null)) as unknown;
  if (document.errors.length > 0 || !editValue(wanted, edit)) return undefined;
  const next = splice(text, document, edit);
  if (next === undefined) return undefined;
  const result = parseDocument(next, { uniqueKeys: false });
  return result.errors.length === 0 && JSON.stringify(result.toJS()) === JSON.stringify(wanted) ? next : undefined;
}

/** Does the same to the plain value, to compare with. False where the path is not there. */
function editValue(root: unknown, edit: Edit): boolean {
  const keys = edit.path.split(".");
  const last = keys.pop()!;
  let at = root as Record<string, unknown> | undefined;
  for (const key of keys) {
    if (edit.action === "set" && at !== undefined && at[key] === undefined) at[key] = {};
    at = at?.[key] as Record<string, unknown> | undefined;
  }
  if (typeof at !== "object" || at === null) return false;
  if (edit.action === "set") {
    at[last] = edit.value;
    return true;
  }
  if (!(last in at)) return false;
  if (edit.action === "remove") delete at[last];
  else {
    const entries = Object.entries(at).map(([key, value]) => [key === last ? edit.name : key, value] as const);
    for (const key of Object.keys(at)) delete at[key];
    Object.assign(at, Object.fromEntries(entries));
  }
  return true;
}

function splice(text: string, document: Document.Parsed, edit: Edit): string | undefined {
  const keys = edit.path.split(".");
  const found = findPair(document, keys);
  if (found === undefined) return edit.action === "set" ? insert(text, document, keys, edit.value) : undefined;
  const { map, pair } = found;
  const key = rangeOf(pair.key)!;
  const value = rangeOf(pair.value);
  if (edit.action === "rename") return replace(text, key, quoteLike(text, key, edit.name));
  if (edit.action === "set")
    return value === undefined
      ? undefined
      : replace(text, value, JSON.stringify(edit.value) === undefined ? "" : scalarText(edit.value, isJson(text)));
  return removePair(text, map, pair, key, value);
}

interface Range {
  readonly start: number;
  readonly end: number;
}

function findPair(
  document: Document.Parsed,
  keys: readonly string[],
): { readonly map: YAMLMap; readonly pair: Pair } | undefined {
  const map = keys.length === 1 ? document.contents : document.getIn(keys.slice(0, -1));
  if (!isMap(map)) return undefined;
  const pair = map.items.find(({ key }) => isScalar(key) && String(key.value) === keys.at(-1));
  return pair === undefined ? undefined : { map, pair };
}

/** Puts a new key at the end of the deepest mapping on the way that is there. */
function insert(text: string, document: Document.Parsed, keys: readonly string[], value: unknown): string | undefined {
  for (let depth = keys.length - 1; depth >= 0; depth--) {
    const node = depth === 0 ? document.contents : document.getIn(keys.slice(0, depth));
    if (node === undefined) continue;
    if (!isMap(node) || node.items.length === 0) return undefined;
    const [head, ...inner] = keys.slice(depth);
    const nested = inner.reduceRight<unknown>((at, key) => ({ [key]: at }), value);
    const last = node.items.at(-1)!;
    const end = rangeOf(last.value)?.end ?? rangeOf(last.key)!.end;
    if (node.flow === true || isJson(text))
      return (
        `${text.slice(0, end)}, ${scalarText(head, isJson(text))}: ` +
        `${scalarText(nested, isJson(text))}${text.slice(end)}`
      );
    const first = rangeOf(node.items[0]!.key)!.start;
    const indent = " ".repeat(first - (text.lastIndexOf("\n", first - 1) + 1));
    const lineEnd = text.indexOf("\n", end - 1 < 0 ? 0 : text[end - 1] === "\n" ? end - 1 : end);
    const at = lineEnd < 0 ? text.length : lineEnd;
    return `${text.slice(0, at)}\n${indent}${head!}: ${scalarText(nested, false)}${text.slice(at)}`;
  }
  return undefined;
}

function removePair(text: string, map: YAMLMap, pair: Pair, key: Range, value: Range | undefined): string {
  const end = value?.end ?? key.end;
  if (map.flow === true || isJson(text)) {
    const index = map.items.indexOf(pair);
    const next = map.items[index + 1];
    const previous = map.items[index - 1];
    if (next !== undefined) return text.slice(0, key.start) + text.slice(rangeOf(next.key)!.start);
    const from = previous === undefined ? key.start : (rangeOf(previous.value)?.end ?? rangeOf(previous.key)!.end);
    return text.slice(0, from) + text.slice(end);
  }
  const lineStart = text.lastIndexOf("\n", key.start - 1) + 1;
  const lineEnd = text.indexOf("\n", text[end - 1] === "\n" ? end - 1 : end);
  return text.slice(0, lineStart) + (lineEnd < 0 ? "" : text.slice(lineEnd + 1));
}

function replace(text: string, { start, end }: Range, by: string): string {
  return text.slice(0, start) + by + text.slice(end);
}

function rangeOf(node: unknown): Range | undefined {
  const range = (node as { range?: readonly [number, number, number] | null } | null)?.range;
  return range === undefined || range === null ? undefined : { start: range[0], end: range[1] };
}

function isJson(text: string): boolean {
  return text.trimStart().startsWith("{");
}

/** A key in the quotes that the old one had. */
function quoteLike(text: string, { start }: Range, name: string): string {
  const quote = text[start];
  return quote === '"' || quote === "'" ? `${quote}${name}${quote}` : name;
}

/** A value in flow form; plain words without quotes in YAML. */
function scalarText(value: unknown, json: boolean): string {
  if (Array.isArray(value)) return `[${value.map((item) => scalarText(item, json)).join(", ")}]`;
  if (typeof value === "object" && value !== null)
    return `{ ${Object.entries(value)
      .map(([key, inner]) => `${scalarText(key, json)}: ${scalarText(inner, json)}`)
      .join(", ")} }`;
  const isPlain =
    typeof value === "string" &&
    /^[A-Za-z_][\w.-]*$/.test(value) &&
    !/^(true|false|yes|no|on|off|null|y|n)$/i.test(value);
  return isPlain && !json ? (value as string) : (JSON.stringify(value) ?? "null");
}
