import type { Origin, Setting } from "@thaw/contracts";
import { isCollection, isMap, isPair, isScalar, LineCounter, parseDocument, type Node } from "yaml";

/** Settings of a YAML text, one per leaf, with file and line, as `@thaw/config` gives them. Lists are leaves. */
export function settingsOfYaml(
  text: string,
  options: { readonly file?: string; readonly origin?: Origin; readonly prefix?: string } = {},
): readonly Setting[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const settings: Setting[] = [];
  const visit = (node: Node | null, path: readonly string[], line: number): void => {
    if (isMap(node)) {
      for (const pair of node.items) {
        if (!isPair(pair) || !isScalar(pair.key)) continue;
        visit(pair.value as Node | null, [...path, String(pair.key.value)], lines.linePos(pair.key.range![0]).line);
      }
      return;
    }
    const value: unknown = isCollection(node) ? node.toJSON() : isScalar(node) ? node.value : null;
    settings.push({
      path: path.join("."),
      value,
      origin: options.origin ?? "explicit",
      file: options.file ?? "thaw.yaml",
      line,
    });
  };
  visit(document.contents, options.prefix === undefined ? [] : [options.prefix], 1);
  return settings;
}
