import { reshape, transpose, type Value } from "@thaw/autograd";

/** `[batch * tokens, heads * size]` to `[batch, heads, tokens, size]`. */
export function splitRows(rows: Value, batch: number, headCount: number): Value {
  const [count, width] = rows.shape as [number, number];
  return transpose(reshape(rows, [batch, count / batch, headCount, width / headCount]), [0, 2, 1, 3]);
}

/** `[batch, heads, tokens, size]` to `[batch * tokens, heads * size]`. */
export function joinRows(x: Value): Value {
  const [batch, heads, tokens, size] = x.shape as [number, number, number, number];
  return reshape(transpose(x, [0, 2, 1, 3]), [batch * tokens, heads * size]);
}
