import { itemsOf, outputOffsets, type MediaItem, type Segment } from "@thaw/contracts";
import type { PlannedContext } from "../api/contexts.js";

/**
 * Rows that each segment computes on a batch, by its name: of a tower as many as the items that it reads have there, of
 * what follows a tower as many as that one made, of what embeds the text and of what follows,
 * `textRows`.
 */
export function segmentRows(
  { model }: Pick<PlannedContext, "model">,
  media: readonly MediaItem[],
  textRows: number,
): (segment: string) => number {
  const { segments, text } = model;
  const words = new Set([text.embeddings?.input, text.embeddings?.output]);
  const byName = new Map(segments.map((segment) => [segment.name, segment]));
  const known = new Map<string, number>();
  const count = (segment: Segment): number => {
    const { reads, after } = segment;
    if (segment.parameters.some((name) => words.has(name))) return textRows;
    if (reads.length > 0) return outputOffsets(segment, itemsOf(segment, media)).at(-1)!;
    return after.length === 0 ? textRows : Math.max(...after.map(rowsOf));
  };
  const rowsOf = (name: string): number => {
    const segment = byName.get(name);
    const rows = known.get(name) ?? (segment === undefined ? textRows : count(segment));
    known.set(name, rows);
    return rows;
  };
  return rowsOf;
}
