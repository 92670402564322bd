import { outermost, type GradientFlow, type Segment } from "@thaw/core";

/**
 * The segments whose output depends on items and on frozen parameters alone: they read inputs, read no other
 * segment, and nothing at or before them trains now. Of nested ones the outermost.
 */
export function cacheableSegments(
  segments: readonly Segment[],
  flows: ReadonlyMap<string, GradientFlow>,
): readonly Segment[] {
  const readers = segments.filter((segment) => segment.reads.length > 0 && segment.after.length === 0);
  const cacheable = readers.filter((segment) => flows.get(segment.name) === "prefix");
  return outermost(cacheable);
}
