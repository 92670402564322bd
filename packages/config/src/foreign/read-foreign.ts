import { type Document, isMap, isScalar, LineCounter, parseDocument } from "yaml";
import { readArgumentList, readArguments, runsLlamaFactory } from "./arguments.js";
import { isLlamaFactory, readLlamaFactory } from "./llama-factory.js";
import { isMsSwift, readMsSwift } from "./ms-swift.js";
import type { ForeignConfig, ForeignEntry } from "./types.js";

/**
 * Reads the config of another tool, LLaMA-Factory's or ms-swift's: YAML or JSON of keys, arguments as a script or as a
 * list of words. Undefined for anything else, Thaw's own configs among it. Pure: `text` is the file's text, `file` its
 * name for messages.
 */
export function readForeign(text: string, file: string): ForeignConfig | undefined {
  if (/\.(ya?ml|json|jsonc)$/i.test(file)) return readKeys(text, file);
  const isLlama = runsLlamaFactory(text);
  if (isLlama || /\.(sh|bash|txt|args|cmd)$/i.test(file) || /(^|\s)swift\s+(sft|pt|rlhf)\s/.test(text)) {
    const entries = readArguments(text);
    const keys = new Set(entries.map(({ key }) => key));
    if (isLlamaFactory(keys) || (isLlama && keys.has("model_name_or_path")))
      return readLlamaFactory(entries, file, "--");
    if (isMsSwift(keys)) return readMsSwift(entries, file, "--");
  }
  return undefined;
}

function readKeys(text: string, file: string): ForeignConfig | undefined {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, version: "1.1", uniqueKeys: false });
  if (document.errors.length > 0) return undefined;
  const { contents } = document;
  const plain = plainOf(document);
  if (!isMap(contents)) {
    const words = plain;
    if (
      !Array.isArray(words) ||
      !words.every((word) => typeof word === "string" || typeof word === "number" || typeof word === "boolean")
    )
      return undefined;
    const entries = readArgumentList(words.map(String));
    const keys = new Set(entries.map(({ key }) => key));
    if (isLlamaFactory(keys)) return readLlamaFactory(entries, file, "--");
    return isMsSwift(keys) ? readMsSwift(entries, file, "--") : undefined;
  }
  if (typeof plain !== "object" || plain === null) return undefined;
  const values = plain as Readonly<Record<string, unknown>>;
  const entries = contents.items.flatMap(({ key }): ForeignEntry[] => {
    if (!isScalar(key)) return [];
    const name = String(key.value);
    return [{ key: name, value: values[name], line: lines.linePos(key.range![0]).line }];
  });
  const keys = new Set(entries.map(({ key }) => key));
  if (isLlamaFactory(keys)) return readLlamaFactory(entries, file, "");
  return isMsSwift(keys) ? readMsSwift(entries, file, "") : undefined;
}

/** A document's value; undefined where its aliases lead nowhere, or into themselves. */
function plainOf(document: Document): unknown {
  try {
    const value: unknown = document.toJS();
    JSON.stringify(value);
    return value;
  } catch {
    return undefined;
  }
}
