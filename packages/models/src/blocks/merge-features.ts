import { gatherRows, scatterRows, type Value } from "@thaw/autograd";
import { placeholderMismatch } from "../errors.js";

/** Token ids ready to be embedded, and how features join them. */
export interface MixedTokens {
  /** `[rows]`, all inside the vocabulary. */
  readonly tokenIds: Int32Array;
  /**
   * Puts features into the embeddings `[rows, hidden]`, one tensor `[places, hidden]` per stretch of places, in order.
   * @throws THAW_MODEL_PLACEHOLDERS if the counts differ
   */
  merge(embedded: Value, ...features: readonly Value[]): Value;
}

/**
 * Tokens of which those at `places[i]`, rows of the flattened batch, stand for the features `i`, one row each, in
 * order; of all tokens the given rows, ascending, or all. A placeholder may lie outside the vocabulary, so it is
 * embedded as token `placeholderId` and that row replaced.
 */
export function mixTokens(
  given: Int32Array,
  places: readonly Int32Array[],
  rows?: Int32Array,
  placeholderId = 0,
): MixedTokens {
  const tokenIds = rows === undefined ? given.slice() : rows.map((row) => given[row]!);
  const kept = places.map((stretch) => keptPlaces(stretch, rows));
  for (const { at } of kept) for (const row of at) tokenIds[row] = placeholderId;
  return {
    tokenIds,
    merge: (embedded, ...features) => {
      let merged = embedded;
      for (const [index, { at, chosen }] of kept.entries()) {
        const [wanted, count] = [places[index]!.length, features[index]?.shape[0] ?? 0];
        if (count !== wanted) throw placeholderMismatch(wanted, count);
        if (at.length === 0) continue;
        const own = features[index]!;
        merged = scatterRows(merged, at, chosen === null ? own : gatherRows(own, chosen));
      }
      return merged;
    },
  };
}

/** Which of the given rows, all by default, are places, and the features that they get; null: all, in order. */
export function keptPlaces(
  places: Int32Array,
  rows?: Int32Array,
): { readonly at: Int32Array; readonly chosen: Int32Array | null } {
  if (rows === undefined) return { at: places, chosen: null };
  // Feature of each row, -1 where it has none.
  const features = new Int32Array(
    1 +
      Math.max(
        lastOf(rows),
        places.reduce((most, place) => Math.max(most, place), -1),
      ),
  );
  features.fill(-1);
  for (let index = 0; index < places.length; index++) features[places[index]!] = index;
  const [at, chosen] = [new Int32Array(places.length), new Int32Array(places.length)];
  let count = 0;
  for (let index = 0; index < rows.length; index++) {
    const feature = features[rows[index]!]!;
    if (feature < 0) continue;
    at[count] = index;
    chosen[count++] = feature;
  }
  const isWhole = count === places.length && chosen.every((feature, index) => feature === index);
  return { at: at.slice(0, count), chosen: isWhole ? null : chosen.slice(0, count) };
}

/** The largest of ascending rows. */
function lastOf(rows: Int32Array): number {
  return rows.at(-1) ?? -1;
}
