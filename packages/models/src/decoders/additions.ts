import { add, gatherRows, scatterRows, type Value } from "@thaw/autograd";

/** Rows that are added to some of a layer's output. */
export interface Addition {
  /** Which rows of the output, each once. */
  readonly at: Int32Array;
  /** `[at.length, hidden]`. */
  readonly rows: Value;
}

/** What is added behind a decoder's layers, by number of the layer: DeepStack's features. */
export type Additions = ReadonlyMap<number, readonly Addition[]>;

/** `x` with the rows added, `[rows, hidden]`. */
export function addRows(x: Value, additions: readonly Addition[]): Value {
  return additions.reduce((sum, { at, rows }) => scatterRows(sum, at, add(gatherRows(sum, at), rows)), x);
}

/** The same for an output of which the given rows alone are there, in that order. */
export function additionsTo(additions: readonly Addition[], chosen: Int32Array): readonly Addition[] {
  const places = new Map(Array.from(chosen, (row, place) => [row, place] as const));
  return additions.flatMap(({ at, rows }) => {
    const own = [...at.keys()].filter((index) => places.has(at[index]!));
    if (own.length === 0) return [];
    return [
      { at: Int32Array.from(own, (index) => places.get(at[index]!)!), rows: gatherRows(rows, Int32Array.from(own)) },
    ];
  });
}
