import { gatherRows, reshape, scatterRows, type Value } from "@thaw/autograd";
import { imageTokenMismatch } from "../errors.js";

/** Token ids ready to be embedded, and how features join them. */
export interface MixedTokens {
  /** `[rows]`, all inside the vocabulary. */
  readonly tokenIds: Int32Array;
  /** Puts features into the embeddings `[rows, hidden]`. */
  merge(embedded: Value, features: Value | undefined): Value;
}

/**
 * Tokens of which those with the id `placeholder` stand for features `[items, count, hidden]`, in order; of them the
 * given rows, ascending, or all. A placeholder may lie outside the vocabulary, so it is embedded as token 0 and that
 * row replaced. `merge` throws THAW_MODEL_IMAGE_TOKENS if the counts differ.
 */
export function mixTokens(given: Int32Array, placeholder: number, rows?: Int32Array): MixedTokens {
  const tokenIds = rows === undefined ? given.slice() : rows.map((row) => given[row]!);
  const places: number[] = [];
  tokenIds.forEach((id, at) => {
    if (id === placeholder) places.push(at);
  });
  for (const place of places) tokenIds[place] = 0;
  return {
    tokenIds,
    merge: (embedded, features) =>
      mergeFeatures(embedded, features, Int32Array.from(places), featureRows(given, placeholder, rows)),
  };
}

/** Which of the placeholders the given rows hold; null for all. */
function featureRows(
  given: Int32Array,
  placeholder: number,
  rows: Int32Array | undefined,
): { readonly count: number; readonly rows: Int32Array | null } {
  const order = new Map<number, number>();
  given.forEach((id, row) => {
    if (id === placeholder) order.set(row, order.size);
  });
  const kept = rows?.filter((row) => order.has(row));
  return {
    count: order.size,
    rows: kept === undefined || kept.length === order.size ? null : kept.map((row) => order.get(row)!),
  };
}

function mergeFeatures(
  embedded: Value,
  features: Value | undefined,
  places: Int32Array,
  source: ReturnType<typeof featureRows>,
): Value {
  const [items, count, hidden] = (features?.shape ?? [0, 0, 0]) as [number, number, number];
  if (items * count !== source.count) throw imageTokenMismatch(source.count, items * count);
  if (features === undefined || places.length === 0) return embedded;
  const flat = reshape(features, [items * count, hidden]);
  return scatterRows(embedded, places, source.rows === null ? flat : gatherRows(flat, source.rows));
}
