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
    const { output, normaliser } = kernel.forward(q.tensor, k.tensor, v.tensor, shape);
    if (record !== null) {
      const [savedQ, savedK, savedV, savedOutput, savedNormaliser] = [
        record.save(q),
        record.save(k),
        record.save(v),
        record.saveOutput(),
        record.keep(normaliser),
      ];
      record.backward = (gradient, wants) => {
        const made = { q: savedQ(), k: savedK(), v: savedV(), output: savedOutput(), normaliser: savedNormaliser() };
        return kernel.backward(gradient, made, shape).map((part, index) => (wants[index] ? part : null));
      };
    }
    return output;
  });
}
