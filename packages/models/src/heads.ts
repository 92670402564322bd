import { reshape, transpose, type Value } from "@thaw/autograd";

/** `[batch, tokens, heads * size]` to `[batch, heads, tokens, size]`. */
export function splitHeads(x: Value, headCount: number): Value {
  const [batch, tokens, width] = x.shape as [number, number, number];
  return transpose(reshape(x, [batch, tokens, headCount, width / headCount]), [0, 2, 1, 3]);
}

/** `[batch, heads, tokens, size]` to `[batch, tokens, heads * size]`. */
export function joinHeads(x: Value): Value {
  const [batch, heads, tokens, size] = x.shape as [number, number, number, number];
  return reshape(transpose(x, [0, 2, 1, 3]), [batch, tokens, heads * size]);
}
