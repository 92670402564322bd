import { readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Finding } from "@thaw/core";
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from "yaml";
import { configUnreadable } from "../errors.js";
import type { Layer, Position, ReadLayer } from "./layer.js";

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
    text = await readFile(file, "utf8");
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
  const document = parseDocument(text.replace(/^\uFEFF/, ""), { lineCounter: counter, merge: true });
  const findings = document.errors.map((error): Finding => {
    const position = counter.linePos(error.pos[0]);
    return {
      rule: "config",
      severity: "error",
      message: `The file cannot be read: ${firstSentence(error.message)} (${label}:${position.line}:${position.col}).`,
      fix: error.code === "DUPLICATE_KEY" ? "Keep one of the two entries." : "Correct the syntax there.",
      settings: [{ path: "", value: undefined, origin, file, line: position.line }],
    };
  });
  const layer: Layer = {
    origin,
    file,
    folder: dirname(file),
    label,
    value:
      findings.length > 0
        ? undefined
        : prefix.reduce<unknown>((value, key) => (value as Record<string, unknown> | null)?.[key], document.toJS()),
    locate: (path, part) => locate(document, counter, [...prefix, ...path], part),
  };
  return { layer, findings };
}

function firstSentence(message: string): string {
  return (message.split("\n")[0] ?? message).replace(/ at line \d+, column \d+:?$/, "").replace(/[.:]$/, "");
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
      const pair = node.items.find(
        (item) => (isScalar(item.key) ? String(item.key.value) : String(item.key)) === segment,
      );
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
