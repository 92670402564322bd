import type { ComponentDeclaration } from "@thaw/contracts";

/** True if `prefix` is `name` or a run of its first whole dot-segments. */
export function isUnder(name: string, prefix: string): boolean {
  return name === prefix || name.startsWith(`${prefix}.`);
}

/** True if `run`, a run of whole dot-segments, occurs anywhere in `name`. */
export function containsRun(name: string, run: string): boolean {
  return `.${name}.`.includes(`.${run}.`);
}

/**
 * The component that owns `name`: longest prefix wins; undefined if none does. Where two are equally long the first is
 * returned.
 */
export function componentOf(name: string, components: readonly ComponentDeclaration[]): string | undefined {
  let best: { readonly component: string; readonly length: number } | undefined;
  for (const { name: component, prefixes } of components) {
    for (const prefix of prefixes)
      if (isUnder(name, prefix) && prefix.length > (best?.length ?? -1)) best = { component, length: prefix.length };
  }
  return best?.component;
}

/** The user's declarations over a family's: one of the same name replaces the family's. */
export function mergeComponents(
  base: readonly ComponentDeclaration[],
  declared: Readonly<Record<string, readonly string[]>> = {},
): readonly ComponentDeclaration[] {
  const own = new Map(Object.entries(declared).map(([name, prefixes]) => [snakeCase(name), prefixes]));
  const replaced = base.map(({ name, prefixes }) => ({ name, prefixes: own.get(name) ?? prefixes }));
  const known = new Set(base.map(({ name }) => name));
  return [
    ...replaced,
    ...[...own].filter(([name]) => !known.has(name)).map(([name, prefixes]) => ({ name, prefixes })),
  ];
}

/** `visionTower` to `vision_tower`: components are spelt as Hugging Face does in every output. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
