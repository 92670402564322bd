import { toSnakeCase, type ComponentDeclaration } from "@thaw/contracts";

/** True if `run`, a run of whole dot-segments, occurs anywhere in `name`. */
export function containsRun(name: string, run: string): boolean {
  return `.${name}.`.includes(`.${run}.`);
}

/** The user's declarations over a family's: one of the same name replaces the family's. */
export function mergeComponents(
  base: readonly ComponentDeclaration[],
  declared: Readonly<Record<string, readonly string[]>> = {},
): readonly ComponentDeclaration[] {
  const own = new Map(Object.entries(declared).map(([name, prefixes]) => [toSnakeCase(name), prefixes]));
  const replaced = base.map(({ name, prefixes }) => ({ name, prefixes: own.get(name) ?? prefixes }));
  const known = new Set(base.map(({ name }) => name));
  return [
    ...replaced,
    ...[...own].filter(([name]) => !known.has(name)).map(([name, prefixes]) => ({ name, prefixes })),
  ];
}
