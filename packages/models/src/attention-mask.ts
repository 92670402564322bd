/** Added to scores of keys that a query must not see; finite, so that a row without any visible key stays a number. */
const HIDDEN = -1e9;

/**
 * Additive causal mask. Padding on the right needs no entry of its own: no real token looks to its right. So the result is
 * `[tokens, tokens]` unless a row has padding before a real token, then `[batch, 1, tokens, tokens]`.
 */
export function causalMask(attentionMask: Int32Array, batchSize: number, tokenCount: number): { readonly values: Float32Array; readonly shape: readonly number[] } {
  const rows = hasInnerPadding(attentionMask, batchSize, tokenCount) ? batchSize : 1;
  const values = new Float32Array(rows * tokenCount * tokenCount);
  for (let row = 0; row < rows; row++) {
    for (let query = 0; query < tokenCount; query++) {
      const at = (row * tokenCount + query) * tokenCount;
      values.fill(HIDDEN, at + query + 1, at + tokenCount);
      if (rows === 1) continue;
      for (let key = 0; key <= query; key++) if (attentionMask[row * tokenCount + key] === 0) values[at + key] = HIDDEN;
    }
  }
  return { values, shape: rows === 1 ? [tokenCount, tokenCount] : [batchSize, 1, tokenCount, tokenCount] };
}

/** Additive mask over the keys of a single query: `[batch, 1, 1, keys]`; the keys after `attentionMask`'s are all visible. */
export function keyMask(attentionMask: Int32Array, batchSize: number, tokenCount: number, keyCount: number): Float32Array {
  const values = new Float32Array(batchSize * keyCount);
  for (let row = 0; row < batchSize; row++) {
    for (let key = 0; key < tokenCount; key++) if (attentionMask[row * tokenCount + key] === 0) values[row * keyCount + key] = HIDDEN;
  }
  return values;
}

/** True if a row has padding before a real token. */
export function hasInnerPadding(attentionMask: Int32Array, batchSize: number, tokenCount: number): boolean {
  for (let row = 0; row < batchSize; row++) {
    const mask = attentionMask.subarray(row * tokenCount, (row + 1) * tokenCount);
    if (mask.indexOf(0) !== -1 && mask.indexOf(0) < mask.lastIndexOf(1)) return true;
  }
  return false;
}
