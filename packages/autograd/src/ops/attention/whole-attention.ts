import { operate } from "../../engine/operation.js";
import type { Value } from "../../engine/value.js";
import type { WholeAttention, WholeAttentionShape } from "../../bfloat16/whole-attention.js";

/**
 * The same as `tracedAttention` on rows that hold one head after the other, by a kernel that never writes its scores:
 * in bfloat16, with sums in float32.
 */
export function wholeAttention(
  q: Value,
  k: Value,
  v: Value,
  shape: WholeAttentionShape,
  kernel: WholeAttention,
): Value {
  return operate("attention", [q, k, v], (record) => {
    const { output, saved } = kernel.forward(q.tensor, k.tensor, v.tensor, shape, record !== null);
    if (record !== null) {
      const kept = saved.map((tensor) => record.keep(tensor));
      record.backward = (gradient, wants) =>
        kernel
          .backward(
            gradient,
            kept.map((read) => read()),
            shape,
          )
          .map((part, index) => (wants[index] ? part : null));
    }
    return output;
  });
}
