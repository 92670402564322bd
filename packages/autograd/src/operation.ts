import type { Tensor } from "@tensorflow/tfjs-core";
import type { ValueNode } from "./node.js";
import type { OpRecord } from "./record.js";
import type { Tape } from "./tape.js";
import { tapeOf } from "./tape.js";
import type { Value } from "./value.js";

/**
 * Defines one call of a differentiable op.
 * @param inputs values whose gradients the op can give, in the order in which its backward returns them
 * @param forward computes the output; where `record` is not null it saves what its backward needs and sets `record.backward`
 */
export function operate(name: string, inputs: readonly Value[], forward: (record: OpRecord | null, tape: Tape) => Tensor): Value {
  const tape = tapeOf(name, ...inputs);
  return tape.run(name, inputs as readonly ValueNode[], (record) => forward(record, tape));
}
