import { gatherRows, scatterRows, type Value } from "@thaw/autograd";
import { imageTokenMismatch } from "../errors.js";

/** Token ids ready to be embedded, and how features join them. */
export interface MixedTokens {
  /** `[rows]`, all inside the vocabulary. */
  readonly tokenIds: Int32Array;
  /** Puts features into the embeddings `[rows, hidden]`. */
  merge(embedded: Value, features: Value | undefined): Value;
}

/**
 * Tokens of which those at `places` stand for the features `[places, hidden]`, one each, in order; of them the given
 * rows, ascending, or all. A placeholder may lie outside the vocabulary, so it is embedded as token 0 and that row
 * replaced. `merge` throws THAW_MODEL_IMAGE_TOKENS if the counts differ.
 */
export function mixTokens(given: Int32Array, places: Int32Array, rows?: Int32Array): MixedTokens {
  const tokenIds = rows === undefined ? given.slice() : rows.map((row) => given[row]!);
  const kept = rows === undefined ? { at: places, features: null } : keptPlaces(places, rows);
  for (const at of kept.at) tokenIds[at] = 0;
  return {
    tokenIds,
    merge: (embedded, features) => {
      const count = features?.shape[0] ?? 0;
      if (count !== places.length) throw imageTokenMismatch(places.length, count);
      if (features === undefined || kept.at.length === 0) return embedded;
      return scatterRows(embedded, kept.at, kept.features === null ? features : gatherRows(features, kept.features));
    },
  };
}

/** Where the kept ones among the places are in the given rows, and which features they get; null: all, in order. */
function keptPlaces(
  places: Int32Array,
  rows: Int32Array,
): { readonly at: Int32Array; readonly features: Int32Array | null } {
  const order = new Map(Array.from(places, (place, index) => [place, index] as const));
  const at: number[] = [];
  const features: number[] = [];
  rows.forEach((row, index) => {
    const feature = order.get(row);
    if (feature === undefined) return;
    at.push(index);
    features.push(feature);
  });
  const isWhole = features.length === places.length && features.every((feature, index) => feature === index);
  return { at: Int32Array.from(at), features: isWhole ? null : Int32Array.from(features) };
}
