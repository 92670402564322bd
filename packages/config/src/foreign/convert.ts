import { toSnakeCase, type Setting } from "@thaw/core";
import { Document, isMap, isScalar, type Pair, type Scalar, type YAMLMap } from "yaml";
import type { ForeignConfig } from "./types.js";

const NAMES = { "llama-factory": "LLaMA-Factory", "ms-swift": "ms-swift" } as const;

/** Settings that are paths: Thaw starts them from the folder of its config, other tools from where they are called. */
const PATHS: readonly string[] = ["model", "output", "lora.adapter"];

/**
 * The Thaw config (YAML, snake case) that means what the foreign one does. Every value says where it came from; what
 * has no counterpart is listed. `pathOf` says how a path is written in it; default: as it is.
 */
export function convertForeign(
  config: ForeignConfig,
  pathOf: (path: string, setting: string) => string = (path) => path,
): string {
  const written = (path: string, value: unknown): unknown =>
    PATHS.includes(path) && typeof value === "string" ? pathOf(value, path) : value;
  const document = new Document({});
  const name = NAMES[config.format];
  if (config.model !== undefined)
    set(document, ["model"], written("model", config.model.value), comment(config.model, name));
  for (const setting of config.settings) {
    if (setting.means === undefined) continue;
    const path = setting.means.path.split(".").map(toSnakeCase);
    set(document, path, snakeKeys(written(setting.means.path, setting.means.value)), comment(setting, name));
  }
  if (!document.hasIn(["data", "train"]))
    document.commentBefore =
      ` Converted from ${baseName(config.file)} (${name}). Add data: { train: ... }: the data sets are not carried ` +
      "over.";
  const rest = config.dropped.map(
    ({ setting, why }) => ` ${setting.path}: ${JSON.stringify(setting.value)}${why === undefined ? "" : ` (${why})`}`,
  );
  if (rest.length > 0) document.comment = [` Not carried over:`, ...rest].join("\n");
  return document.toString({ lineWidth: 0 });
}

function comment(setting: Setting, name: string): string {
  if (setting.origin === "default") return ` ${name}'s default`;
  return ` ${setting.path}${setting.line === undefined ? "" : `, line ${setting.line}`}`;
}

/** Sets a value and the comment behind it. Where two settings mean one path, the explicit one stays. */
function set(document: Document, path: readonly string[], value: unknown, text: string): void {
  if (document.getIn(path) !== undefined && text.endsWith("default")) return;
  document.setIn(path, document.createNode(value, { flow: typeof value === "object" }));
  const parent = (path.length === 1 ? document.contents : document.getIn(path.slice(0, -1))) as YAMLMap;
  const pair = parent.items.find(({ key }) => (isScalar(key) ? key.value : key) === path.at(-1)) as
    | Pair<unknown, Scalar | YAMLMap>
    | undefined;
  if (pair?.value !== undefined && pair.value !== null && (isScalar(pair.value) || isMap(pair.value)))
    pair.value.comment = text;
}

function snakeKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeKeys);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [toSnakeCase(key), snakeKeys(inner)]));
}

function baseName(file: string): string {
  return file.split(/[\\/]/).at(-1)!;
}
