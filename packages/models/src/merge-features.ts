import { reshape, scatterRows, type Value } from "@thaw/autograd";
import { imageTokenMismatch } from "./errors.js";

/** Token ids ready to be embedded, and how features join them. */
export interface MixedTokens {
  /** `[batch * tokens]`, all inside the vocabulary. */
  readonly tokenIds: Int32Array;
  /** Puts features into the embeddings `[batch * tokens, hidden]`. */
  merge(embedded: Value, features: Value | undefined): Value;
}

/**
 * Tokens of which those with the id `placeholder` stand for features `[items, count, hidden]`, in order. A placeholder may lie outside the
 * vocabulary, so it is embedded as token 0 and that row replaced. `merge` throws THAW_MODEL_IMAGE_TOKENS if the counts differ.
 */
export function mixTokens(given: Int32Array, placeholder: number): MixedTokens {
  const rows = rowsOf(given, placeholder);
  const tokenIds = given.slice();
  for (const row of rows) tokenIds[row] = 0;
  return { tokenIds, merge: (embedded, features) => mergeFeatures(embedded, features, rows) };
}

function rowsOf(tokenIds: Int32Array, placeholder: number): Int32Array {
  const rows: number[] = [];
  for (let row = 0; row < tokenIds.length; row++) if (tokenIds[row] === placeholder) rows.push(row);
  return Int32Array.from(rows);
}

function mergeFeatures(embedded: Value, features: Value | undefined, rows: Int32Array): Value {
  const [items, count, hidden] = (features?.shape ?? [0, 0, 0]) as [number, number, number];
  if (items * count !== rows.length) throw imageTokenMismatch(rows.length, items * count);
  return features === undefined || rows.length === 0 ? embedded : scatterRows(embedded, rows, reshape(features, [rows.length, hidden]));
}
