import { LineCounter } from "yaml";
import { overrideMalformed } from "../errors.js";
import type { Layer } from "./layer.js";
import { readYaml } from "./yaml-value.js";

/**
 * The layer of `--set a.b=c` texts; values are YAML. A later one replaces an earlier one of the same key. `@throws
 * THAW_CONFIG_OVERRIDE`.
 */
export function overrideLayer(texts: readonly string[], folder: string): Layer {
  const root: Record<string, unknown> = {};
  for (const text of texts) {
    const at = text.indexOf("=");
    if (at < 1) throw overrideMalformed(text, at < 0 ? "it has no equals sign" : "it has no key");
    const path = text.slice(0, at).trim().split(".");
    if (path.some((segment) => segment === "")) throw overrideMalformed(text, "its key has an empty part");
    const { problems, value } = readYaml(text.slice(at + 1), new LineCounter());
    const [problem] = problems;
    if (problem !== undefined) throw overrideMalformed(text, `its value is not YAML: ${problem.message}`);
    setAt(root, path, value);
  }
  return { origin: "explicit", folder, label: "--set", replacesLists: true, value: root, locate: () => undefined };
}

/** A layer of plain values that a program gives. */
export function programLayer(value: unknown, folder: string): Layer {
  return { origin: "explicit", folder, label: "the program", value, locate: () => undefined };
}

function setAt(root: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let target = root;
  for (const segment of path.slice(0, -1)) {
    const next = Object.hasOwn(target, segment) ? target[segment] : undefined;
    target =
      typeof next === "object" && next !== null && !Array.isArray(next)
        ? (next as Record<string, unknown>)
        : ((target[segment] = {}) as Record<string, unknown>);
  }
  target[path.at(-1)!] = value;
}
