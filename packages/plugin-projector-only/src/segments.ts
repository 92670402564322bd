import { outermost, type GradientFlow, type LazyItem, type Segment } from "@thaw/core";

/** A segment whose outputs may be kept, and the batch inputs that it reads. */
export interface CacheableSegment {
  readonly name: string;
  readonly reads: readonly string[];
}

/**
 * The segments whose output depends on batch inputs and on frozen parameters alone: they read inputs, read no other
 * segment, and nothing at or before them trains now. Of nested ones the outermost.
 */
export function cacheableSegments(
  segments: readonly Segment[],
  flows: ReadonlyMap<string, GradientFlow>,
): CacheableSegment[] {
  const readers = segments.filter((segment) => segment.reads.length > 0 && segment.after.length === 0);
  const cacheable = readers.filter((segment) => flows.get(segment.name) === "prefix");
  return outermost(cacheable).map(({ name, reads }) => ({ name, reads }));
}

/** The items of one segment in a batch: how many there are, and their keys. */
export interface SegmentItems {
  readonly keys: readonly string[];
  /** The inputs of the items at the given positions, in their order. */
  at(positions: readonly number[]): Readonly<Record<string, readonly LazyItem[]>>;
}

/**
 * Items of the batch as the segment sees them: item i of a segment that reads two inputs is item i of both. Undefined
 * where there are none (a batch of text alone) or where the inputs do not go item by item.
 */
export function segmentItems(
  inputs: Readonly<Record<string, readonly LazyItem[]>>,
  reads: readonly string[],
): SegmentItems | undefined {
  const lists = reads.map((input) => inputs[input] ?? []);
  const count = lists[0]?.length ?? 0;
  if (count === 0 || lists.some((list) => list.length !== count)) return undefined;
  return {
    keys: lists[0]!.map((_, position) => lists.map((list) => list[position]!.contentKey).join("+")),
    at: (positions) =>
      Object.fromEntries(reads.map((input, index) => [input, positions.map((position) => lists[index]![position]!)])),
  };
}
