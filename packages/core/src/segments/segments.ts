import { append, type Segment } from "@thaw/contracts";

/** Segments as far as their names say where they lie: `decoder.layers.1` lies inside `decoder`. */
type Named = Pick<Segment, "name">;

/** True if the segment `name` lies inside the segment `outer`, and is not that one itself. */
export function isInside(name: string, outer: string): boolean {
  return name.startsWith(`${outer}.`);
}

/** All that a name lies inside of, the nearest first: `decoder.layers` and `decoder` for `decoder.layers.1`. */
export function* outersOf(name: string): Generator<string> {
  for (let end = name.lastIndexOf("."); end > 0; end = name.lastIndexOf(".", end - 1)) yield name.slice(0, end);
}

/** The nearest segment that contains this one. */
export function outerOf(name: string, segments: { has(name: string): boolean }): string | undefined {
  for (const outer of outersOf(name)) if (segments.has(outer)) return outer;
  return undefined;
}

/** Those with none of the others inside. */
export function innermost<Item extends Named>(segments: readonly Item[]): readonly Item[] {
  return segments.filter(({ name }) => !segments.some((other) => isInside(other.name, name)));
}

/** Those that lie inside none of the others. */
export function outermost<Item extends Named>(segments: readonly Item[]): readonly Item[] {
  return segments.filter(({ name }) => !segments.some((other) => isInside(name, other.name)));
}

/** By segment, the segments that read its output; one that nobody reads is absent. */
export function readersOf(segments: readonly Segment[]): ReadonlyMap<string, readonly string[]> {
  const readers = new Map<string, string[]>();
  for (const { name, after } of segments) for (const before of after) append(readers, before, name);
  return readers;
}
