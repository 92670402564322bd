import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs-core";
import { badArgument } from "../errors.js";
import { inShape, sizeOf } from "../kernels/broadcast.js";
import type { ValueNode } from "../node.js";
import { operate } from "../operation.js";
import type { Tape } from "../tape.js";
import type { Value } from "../value.js";

/**
 * `x W^T + bias`: `x [..., in]`, `weight [out, in]`, `bias [out]` to `[..., out]`. With a frozen weight nothing is saved but itself; with a trained one `x` is.
 * @throws THAW_AUTOGRAD_SHAPE
 */
export function linear(x: Value, weight: Value, bias?: Value): Value {
  const [outputs, inputs] = weight.shape as [number, number];
  if (weight.shape.length !== 2 || x.shape.at(-1) !== inputs) {
    throw badArgument("linear", `x has shape [${x.shape.join(", ")}], the weight [${weight.shape.join(", ")}].`, "The weight must be [out, in] and x [..., in].", {
      x: x.shape,
      weight: weight.shape,
    });
  }
  const values = bias === undefined ? [x, weight] : [x, weight, bias];
  return operate("linear", values, (record, tape) => {
    if (record !== null) {
      const saved = record.needs[1] ? record.save(x) : null;
      const matrix = record.needs[0] ? record.save(weight) : null;
      record.backward = (gradient, [wantX, wantWeight, wantBias]) => {
        const rows = flatten(gradient, outputs);
        return [
          wantX && matrix !== null ? unflatten(tape.kernels.product(rows, matrix()), x.shape, inputs) : null,
          wantWeight && saved !== null ? tape.kernels.product(rows, flatten(saved(), inputs), true, false) : null,
          wantBias ? tape.kernels.columnSum(rows) : null,
        ];
      };
    }
    const rows = flatten(x.tensor, inputs);
    return unflatten(timesWeight(tape, rows, weight, bias?.tensor as Tensor1D | undefined), x.shape, outputs);
  });
}

/** `rows [n, in]` times the transpose of `weight [out, in]`, plus the bias. Raw tensors; no gradient. */
export function timesWeight(tape: Tape, rows: Tensor2D, weight: Value, bias?: Tensor1D): Tensor2D {
  const node = weight as ValueNode;
  return tape.kernels.timesWeight(rows, node.tensor as Tensor2D, node.kind === "parameter" && !node.needsGradient, bias);
}

function flatten(x: Tensor, columns: number): Tensor2D {
  return inShape(x, [x.size / columns, columns]) as Tensor2D;
}

function unflatten(rows: Tensor, shape: readonly number[], columns: number): Tensor {
  return inShape(rows, [...shape.slice(0, -1), columns]);
}

/** Options of {@link matmul}. */
export interface MatmulOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/** Product over the last two axes; both 2-D, or with equal leading axes. Saves each factor only if the other one needs a gradient. `@throws THAW_AUTOGRAD_SHAPE` */
export function matmul(a: Value, b: Value, options: MatmulOptions = {}): Value {
  const { transposeA = false, transposeB = false } = options;
  if (a.shape.length !== b.shape.length || a.shape.length < 2 || sizeOf(a.shape.slice(0, -2)) !== sizeOf(b.shape.slice(0, -2))) {
    throw badArgument("matmul", `The shapes are [${a.shape.join(", ")}] and [${b.shape.join(", ")}].`, "Give both the same leading axes.", { a: a.shape, b: b.shape });
  }
  return operate("matmul", [a, b], (record, tape) => {
    if (record !== null) {
      const savedA = record.needs[1] ? record.save(a) : null;
      const savedB = record.needs[0] ? record.save(b) : null;
      record.backward = (gradient, [wantA, wantB]) => {
        const gradientA = (other: Tensor) => (transposeA ? tape.kernels.product(other, gradient, transposeB, true) : tape.kernels.product(gradient, other, false, !transposeB));
        const gradientB = (other: Tensor) => (transposeB ? tape.kernels.product(gradient, other, true, transposeA) : tape.kernels.product(other, gradient, !transposeA, false));
        return [wantA && savedB !== null ? gradientA(savedB()) : null, wantB && savedA !== null ? gradientB(savedA()) : null];
      };
    }
    return tape.kernels.product(a.tensor, b.tensor, transposeA, transposeB);
  });
}
