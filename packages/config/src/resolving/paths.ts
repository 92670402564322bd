import { existsSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { variants } from "../checking/shape.js";
import { mapLeaves, type ConfigNode } from "../words/tree.js";

/**
 * Makes relative paths absolute, from the folder of the layer that wrote them. A schema marks them by its `format`:
 * `path`; `code-path`, from which code is loaded; `model`, a folder or a name on the hub; `hub-or-path`, a path or
 * `hub:org/name`; `source` (`kind:name` or a path); `package-or-path` (a path starts with a dot).
 */
export function resolvePaths(root: ConfigNode): ConfigNode {
  return mapLeaves(root, (leaf) => {
    if (typeof leaf.value !== "string") return leaf.value;
    const format = formatOf(leaf);
    if (format === "path" || format === "code-path") return resolve(leaf.layer.folder, leaf.value);
    if (format === "model") return resolveModel(leaf.value, leaf.layer.folder);
    if (format === "hub-or-path") return isOnHub(leaf.value) ? leaf.value : resolve(leaf.layer.folder, leaf.value);
    if (format === "package-or-path") return fromDot(leaf.value, leaf.layer.folder);
    return format === "source" ? resolveSource(leaf.value, leaf.layer.folder) : leaf.value;
  });
}

/** Leaves that name a place from which code is loaded: libraries, addons. */
export function codePaths(root: ConfigNode): readonly ConfigNode[] {
  if (root.kind === "leaf") return typeof root.value === "string" && formatOf(root) === "code-path" ? [root] : [];
  return [...(root.children ?? [])].flatMap(([, child]) => codePaths(child));
}

function formatOf(leaf: ConfigNode): string | undefined {
  return variants(leaf.shape).find((variant) => variant.format !== undefined)?.format;
}

/** A data source's short form, `iconify:twemoji`, `iconify:./icons.json` or a path, with its path made absolute. */
export function resolveSource(text: string, folder: string): string {
  const kind = /^([a-z]{2,}):/.exec(text)?.[0];
  return kind === undefined ? resolve(folder, text) : kind + fromDot(text.slice(kind.length), folder);
}

/** True for what is named as on the hub: `hub:org/name`. */
export function isOnHub(text: string): boolean {
  return text.startsWith("hub:");
}

/**
 * A model's folder, made absolute, or `hub:org/name` for what can only be its name on the hub: `org/name`, perhaps with
 * `@revision`, where no file or folder `org` is in `folder`.
 */
export function resolveModel(text: string, folder: string): string {
  if (isOnHub(text)) return text;
  const [, organisation] = /^(\w[\w.-]*)\/\w[\w.-]*(?:@[\w./%-]+)?$/.exec(text) ?? [];
  return organisation === undefined || existsSync(resolve(folder, organisation))
    ? resolve(folder, text)
    : `hub:${text}`;
}

function fromDot(text: string, folder: string): string {
  return /^\.{1,2}([\\/]|$)/.test(text) || isAbsolute(text) ? resolve(folder, text) : text;
}
