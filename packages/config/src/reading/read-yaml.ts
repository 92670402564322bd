import { MAX_TEXT_BYTES, readPlainFile } from "@thaw/core";
import { basename, dirname } from "node:path";
import type { Finding } from "@thaw/core";
import { isMap, isSeq, LineCounter, type Document, type Node, type Pair, type YAMLMap } from "yaml";
import { configUnreadable } from "../errors.js";
import type { Layer, Position, ReadLayer } from "./layer.js";
import { keyText, readYaml } from "./yaml-value.js";

/**
 * Reads YAML or JSON (YAML's subset, so lines and columns come from one reader); `package.json` yields its `thaw`
 * entry.
 */
export async function readYamlLayer(
  file: string,
  origin: Layer["origin"],
  label: string,
  namedIn?: string,
): Promise<ReadLayer> {
  let text: string;
  try {
    text = (await readPlainFile(file, MAX_TEXT_BYTES)).toString("utf8");
  } catch (cause) {
    throw configUnreadable(file, cause, namedIn);
  }
  return yamlLayer(text, { file, origin, label, prefix: basename(file) === "package.json" ? ["thaw"] : [] });
}

/**
 * A layer of YAML or JSON text. Syntax errors become findings of the rule `config`; the rest is kept where it can be
 * read.
 */
export function yamlLayer(
  text: string,
  options: {
    readonly file: string;
    readonly origin: Layer["origin"];
    readonly label: string;
    readonly prefix?: readonly string[];
  },
): ReadLayer {
  const { file, origin, label, prefix = [] } = options;
  const counter = new LineCounter();
  const { document, problems, value } = readYaml(text.replace(/^\uFEFF/, ""), counter);
  const findings = problems.map(({ message, fix, offset }): Finding => {
    const { line, col } = counter.linePos(offset);
    return {
      rule: "config",
      severity: "error",
      message: `The file cannot be read: ${message} (${label}:${line}:${col}).`,
      fix,
      settings: [{ path: "", value: undefined, origin, file, line }],
    };
  });
  const layer: Layer = {
    origin,
    file,
    folder: dirname(file),
    label,
    value: prefix.reduce<unknown>((part, key) => (part as Record<string, unknown> | null | undefined)?.[key], value),
    ...(problems.length === 0 ? {} : { isBroken: true }),
    locate: (path, part) => document && locate(document, counter, [...prefix, ...path], part),
  };
  return { layer, findings };
}

const pairsOfMaps = new WeakMap<YAMLMap, ReadonlyMap<string, Pair>>();

/** A mapping's entries by key: a search for each of thousands would take seconds. */
function pairsOf(map: YAMLMap): ReadonlyMap<string, Pair> {
  let pairs = pairsOfMaps.get(map);
  if (pairs === undefined) {
    const entries = map.items.map((item) => [keyText(item.key), item] as const);
    pairs = new Map(entries.toReversed()); // of two equal keys the first
    pairsOfMaps.set(map, pairs);
  }
  return pairs;
}

function locate(
  document: Document.Parsed,
  counter: LineCounter,
  path: readonly string[],
  part: "key" | "value",
): Position | undefined {
  let node: unknown = document.contents;
  let key: unknown = node;
  for (const segment of path) {
    if (isMap(node)) {
      const pair = pairsOf(node).get(segment);
      if (pair === undefined) return undefined;
      key = pair.key;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(segment)];
      key = node;
    } else {
      return undefined;
    }
  }
  const range = ((part === "value" ? node : key) as Node | null)?.range ?? (key as Node | null)?.range;
  if (range === undefined || range === null) return undefined;
  const position = counter.linePos(range[0]);
  return { line: position.line, column: position.col };
}
