import type { Tensor } from "@tensorflow/tfjs-core";
import type { ValueNode } from "./node.js";
import type { OpRecord } from "./record.js";
import type { Tape } from "./tape.js";
import { tapeOf } from "./tape.js";
import type { Value } from "./value.js";

/**
 * Runs one differentiable op; every op of this package is a call of it, and a model with an op of its own makes it the
 * same way.
 * @param inputs values whose gradients the op can give, in the order in which its backward returns them
 * @param forward computes the output in a `tf.tidy`. Where `record` is not null, something wants a gradient: it saves
 * what its backward needs and no more (`record.needs` says for which inputs), and sets `record.backward`.
 * `tape.kernels` and `tape.scalar` are what to compute with.
 * @throws THAW_AUTOGRAD_TAPES if the inputs are not values of one tape
 */
export function operate(
  name: string,
  inputs: readonly Value[],
  forward: (record: OpRecord | null, tape: Tape) => Tensor,
): Value {
  const tape = tapeOf(name, ...inputs);
  return tape.run(name, inputs as readonly ValueNode[], (record) => forward(record, tape));
}
