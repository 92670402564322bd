/**
 * True if the pattern is a run of whole dot-segments anywhere in the name; `*` is exactly one segment. `layers.1`
 * matches `encoder.layers.1.mlp`, never `encoder.layers.10.mlp`.
 */
export function matchesPattern(name: string, pattern: string): boolean {
  const segments = name.split(".");
  const wanted = pattern.split(".");
  for (let start = 0; start + wanted.length <= segments.length; start++) {
    if (wanted.every((segment, index) => segment === "*" || segment === segments[start + index])) return true;
  }
  return false;
}

/** Every run of `length` whole segments in the names, once each: what a pattern of that length could have been. */
export function runsOf(names: Iterable<string>, length: number): ReadonlySet<string> {
  const runs = new Set<string>();
  for (const name of names) {
    const segments = name.split(".");
    for (let start = 0; start + length <= segments.length; start++)
      runs.add(segments.slice(start, start + length).join("."));
  }
  return runs;
}
