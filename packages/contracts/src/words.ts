import type { ComponentDeclaration } from "./model.js";

/** The names most like `name`, best first: by edit distance, at most half of its length. */
export function nearestNames(name: string, names: Iterable<string>, limit = 3): readonly string[] {
  return [...names]
    .filter((candidate) => Math.abs(candidate.length - name.length) <= name.length / 2)
    .map((candidate) => ({ candidate, distance: editDistance(name, candidate) }))
    .filter(({ distance }) => distance <= name.length / 2)
    .sort((left, right) => left.distance - right.distance || (left.candidate < right.candidate ? -1 : 1))
    .slice(0, limit)
    .map(({ candidate }) => candidate);
}

/** Levenshtein distance of texts, or of lists of what can be compared. */
export function editDistance(left: ArrayLike<unknown>, right: ArrayLike<unknown>): number {
  let previous = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const substituted = previous[column - 1]! + (left[row - 1] === right[column - 1] ? 0 : 1);
      current.push(Math.min(substituted, previous[column]! + 1, current[column - 1]! + 1));
    }
    previous = current;
  }
  return previous[right.length]!;
}

/** Names joined for a message, the first few of a long list. */
export function nameList(names: readonly string[], limit = 5): string {
  const shown = names.slice(0, limit).join(", ");
  return names.length > limit ? `${shown} and ${names.length - limit} more` : shown;
}

/**
 * `visionTower`, `VisionTower` and `vision-tower` as `vision_tower`: how components are spelt in every output, and keys
 * in data files. A run of capitals stays one word: `freezeLLM` is `freeze_llm`.
 */
export function toSnakeCase(name: string): string {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replaceAll("-", "_")
    .toLowerCase();
}

/** `train_mm_proj_only` as `trainMmProjOnly`; what is camel case already stays, and so do leading underscores. */
export function toCamelCase(name: string): string {
  return name.replaceAll(/(?<=[A-Za-z0-9])_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/**
 * True if `prefix` is `name` or a run of its leading whole dot-segments: `layers.1` is not a prefix of `layers.10`. The
 * empty prefix leads every name.
 */
export function isSegmentPrefix(prefix: string, name: string): boolean {
  return prefix === "" || name === prefix || (name.startsWith(prefix) && name[prefix.length] === ".");
}

/** The longest of `prefixes` that leads `name` by whole dot-segments; undefined if none does. */
export function longestPrefix(name: string, prefixes: Iterable<string>): string | undefined {
  let longest: string | undefined;
  for (const prefix of prefixes)
    if (prefix.length > (longest?.length ?? -1) && isSegmentPrefix(prefix, name)) longest = prefix;
  return longest;
}

/**
 * The components that declare the longest prefix of `name`, in their order: none, one, or several that declare the
 * same.
 */
export function ownersByPrefix(name: string, components: readonly ComponentDeclaration[]): readonly string[] {
  const longest = longestPrefix(
    name,
    components.flatMap(({ prefixes }) => prefixes),
  );
  if (longest === undefined) return [];
  return [...new Set(components.filter(({ prefixes }) => prefixes.includes(longest)).map((owner) => owner.name))];
}

/**
 * The component that owns `name`: the one with the longest prefix of it. Undefined where none has one, and where two
 * declare the same longest prefix: a tie is the user's to decide, so nobody wins it.
 */
export function ownerByPrefix(name: string, components: readonly ComponentDeclaration[]): string | undefined {
  const [owner, ...others] = ownersByPrefix(name, components);
  return others.length === 0 ? owner : undefined;
}
