import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { inShape } from "../kernels/broadcast.js";
import { PackedNode, QuantizedNode, type ValueNode } from "../engine/node.js";
import type { OpRecord } from "../engine/record.js";
import type { Tape } from "../engine/tape.js";
import type { Value } from "../engine/value.js";

/**
 * `x [..., in]` times the transpose of `weight [out, in]`, plus `bias [out]`, flattened: `[n, out]`. Raw tensors; no
 * gradient.
 */
export function timesWeight(tape: Tape, x: Tensor, weight: Value, bias?: Tensor1D): Tensor2D {
  if (weight instanceof PackedNode) {
    const product = weight.products.timesTransposed(x, weight.matrix);
    return bias === undefined ? product : tf.add(product, bias);
  }
  const rows = flatten(x, weight.shape[1] as number);
  if (weight instanceof QuantizedNode) return tape.kernels.timesWeight(rows, weight.widened(), false, bias);
  const { kind, needsGradient, tensor } = weight as ValueNode;
  return tape.kernels.timesWeight(rows, tensor as Tensor2D, kind === "parameter" && !needsGradient, bias);
}

/**
 * For backward, `gradient [..., out]` times `weight [out, in]`, flattened: `[n, in]`. Saves the weight in the record
 * until then.
 */
export function throughWeight(tape: Tape, record: OpRecord, weight: Value): (gradient: Tensor) => Tensor {
  if (weight instanceof PackedNode) return (gradient) => weight.products.times(gradient, weight.matrix);
  const matrix = savedMatrix(record, weight);
  return (gradient) => tape.kernels.product(flatten(gradient, weight.shape[0] as number), matrix());
}

/**
 * The same with what is known of `x`'s gradient `[n, in]` added on the way; undefined where that would be an op of its
 * own.
 */
export function throughWeightPlus(
  tape: Tape,
  record: OpRecord,
  weight: Value,
): ((gradient: Tensor, known: Tensor) => Tensor) | undefined {
  const plus = tape.kernels.productPlus;
  if (plus === undefined || weight instanceof PackedNode) return undefined;
  const matrix = savedMatrix(record, weight);
  return (gradient, known) => plus(flatten(gradient, weight.shape[0] as number), matrix(), known);
}

/** The weight as backward reads it. */
function savedMatrix(record: OpRecord, weight: Value): () => Tensor {
  return weight instanceof QuantizedNode ? () => weight.widened() : record.save(weight);
}

/** The same at once, without a record. */
export function backThroughWeight(tape: Tape, gradient: Tensor2D, weight: Value): Tensor {
  return weight instanceof PackedNode
    ? weight.products.times(gradient, weight.matrix)
    : tape.kernels.product(gradient, weight instanceof QuantizedNode ? weight.widened() : weight.tensor);
}

/** Rows of `weight [rows, hidden]` by index: `[ids, hidden]`. */
export function rowsOfWeight(tape: Tape, weight: Value, ids: Int32Array): Tensor {
  return weight instanceof PackedNode
    ? weight.products.widen(tape.kernels.gatherRows(weight.matrix.words, ids))
    : tape.kernels.gatherRows(weight instanceof QuantizedNode ? weight.widened() : weight.tensor, ids);
}

/** `x [..., columns]` as rows. */
export function flatten(x: Tensor, columns: number): Tensor2D {
  return inShape(x, [x.size / columns, columns]) as Tensor2D;
}
