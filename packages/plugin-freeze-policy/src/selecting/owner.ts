import type { ComponentDeclaration } from "@thaw/core";

/**
 * The component that owns a name by the longest prefix of whole segments; undefined if none does, or if two claim the
 * same prefix.
 */
export function ownerByPrefix(name: string, components: readonly ComponentDeclaration[]): string | undefined {
  let best = -1;
  let owners = new Set<string>();
  for (const component of components) {
    for (const prefix of component.prefixes) {
      if (name !== prefix && !name.startsWith(`${prefix}.`)) continue;
      if (prefix.length > best) owners = new Set();
      if (prefix.length >= best) owners.add(component.name);
      best = Math.max(best, prefix.length);
    }
  }
  return owners.size === 1 ? [...owners][0] : undefined;
}
