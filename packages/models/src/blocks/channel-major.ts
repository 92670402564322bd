import { reshape, transpose, type Value } from "@thaw/autograd";

/**
 * `[blocks * patches, width]` to `[blocks, width * patches]`: what a column has in all patches of a block side by side,
 * as a convolution's kernel and `unfold` lay it.
 */
export function channelMajor(x: Value, patches: number): Value {
  const [rows, width] = x.shape as [number, number];
  const blocks = rows / patches;
  return reshape(transpose(reshape(x, [blocks, patches, width]), [0, 2, 1]), [blocks, patches * width]);
}
