import { append } from "@thaw/core";

/** A numbered list of blocks in a component, e.g. `vision_tower.vision_model.encoder.layers` with blocks 0 to 23. */
export interface BlockList {
  /** Everything before the number. */
  readonly prefix: string;
  /** The numbers that occur, ascending. */
  readonly numbers: readonly number[];
  /** Parameters by block number. */
  readonly names: ReadonlyMap<number, readonly string[]>;
}

/**
 * The component's main list of blocks: of the places where a whole segment is a number, the outermost one with the most
 * blocks (then the most parameters). Undefined where no segment is a number.
 */
export function findBlocks(names: Iterable<string>): BlockList | undefined {
  const lists = new Map<string, Map<number, string[]>>();
  for (const name of names) {
    const segments = name.split(".");
    const index = segments.findIndex((segment) => /^\d+$/.test(segment));
    if (index < 0) continue;
    const prefix = segments.slice(0, index).join(".");
    const list = lists.get(prefix) ?? new Map<number, string[]>();
    lists.set(prefix, list);
    append(list, Number(segments[index]), name);
  }
  const ranked = [...lists].sort(
    ([leftPrefix, left], [rightPrefix, right]) =>
      right.size - left.size || parameterCount(right) - parameterCount(left) || (leftPrefix < rightPrefix ? -1 : 1),
  );
  const best = ranked[0];
  if (best === undefined) return undefined;
  return { prefix: best[0], numbers: [...best[1].keys()].sort((left, right) => left - right), names: best[1] };
}

function parameterCount(list: ReadonlyMap<number, readonly string[]>): number {
  let count = 0;
  for (const names of list.values()) count += names.length;
  return count;
}
