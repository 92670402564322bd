import { innermost, outerOf, readersOf, type Segment } from "@thaw/core";

/**
 * Segments from which a gradient path leads to the loss, where `stops` pass none back. A segment reaches it if its own
 * output is not stopped and it is used by one that reaches it; what nobody reads is the model's output. An inner
 * segment also needs its outer one.
 */
export function reachingSegments(segments: readonly Segment[], stops: ReadonlySet<string>): ReadonlySet<string> {
  const byName = new Map(segments.map((segment) => [segment.name, segment]));
  const readers = readersOf(segments);
  const known = new Map<string, boolean>();
  const reaches = (name: string): boolean => {
    const answer = known.get(name);
    if (answer !== undefined) return answer;
    known.set(name, true); // a cycle would be the family's mistake; it must not hang
    const outer = outerOf(name, byName);
    const next = readers.get(name) ?? [];
    const result =
      !stops.has(name) && (outer === undefined || reaches(outer)) && (next.length === 0 || next.some(reaches));
    known.set(name, result);
    return result;
  };
  return new Set(segments.map(({ name }) => name).filter(reaches));
}

/** Innermost segments that use a parameter. */
export function usersOf(parameter: string, segments: readonly Segment[]): readonly string[] {
  return innermost(segments.filter(({ parameters }) => parameters.includes(parameter))).map(({ name }) => name);
}
