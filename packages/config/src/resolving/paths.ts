import { isAbsolute, resolve } from "node:path";
import { variants } from "../checking/shape.js";
import { mapLeaves, type ConfigNode } from "../words/tree.js";

/**
 * Makes relative paths absolute, from the folder of the layer that wrote them. A schema marks them by its `format`:
 * `path`; `source` (`kind:name` or a path); `package-or-path` (a path starts with a dot).
 */
export function resolvePaths(root: ConfigNode): ConfigNode {
  return mapLeaves(root, (leaf) => {
    if (typeof leaf.value !== "string") return leaf.value;
    const format = variants(leaf.shape).find((variant) => variant.format !== undefined)?.format;
    if (format === "path") return resolve(leaf.layer.folder, leaf.value);
    if (format === "package-or-path") return fromDot(leaf.value, leaf.layer.folder);
    return format === "source" ? resolveSource(leaf.value, leaf.layer.folder) : leaf.value;
  });
}

/** A data source's short form, `iconify:twemoji`, `iconify:./icons.json` or a path, with its path made absolute. */
export function resolveSource(text: string, folder: string): string {
  const kind = /^([a-z]{2,}):/.exec(text)?.[0];
  return kind === undefined ? resolve(folder, text) : kind + fromDot(text.slice(kind.length), folder);
}

function fromDot(text: string, folder: string): string {
  return /^\.{1,2}([\\/]|$)/.test(text) || isAbsolute(text) ? resolve(folder, text) : text;
}
