import type { Tensor, Tensor1D } from "@tensorflow/tfjs-core";
import { badArgument } from "../errors.js";
import { inShape, sizeOf } from "../kernels/broadcast.js";
import { operate } from "../engine/operation.js";
import type { Value } from "../engine/value.js";
import { fuse } from "./fuse.js";
import { flatten, throughWeight, throughWeightPlus, timesWeight } from "./weight.js";

/**
 * `x W^T + bias`: `x [..., in]`, `weight [out, in]`, `bias [out]` to `[..., out]`. With a frozen weight nothing is
 * saved but itself; with a trained one `x` is.
 * @throws THAW_AUTOGRAD_SHAPE
 */
export function linear(x: Value, weight: Value, bias?: Value): Value {
  if (weight.shape.length !== 2 || x.shape.at(-1) !== weight.shape[1]) {
    throw badArgument(
      "linear",
      `x has shape [${x.shape.join(", ")}], the weight [${weight.shape.join(", ")}].`,
      "The weight must be [out, in] and x [..., in].",
      {
        x: x.shape,
        weight: weight.shape,
      },
    );
  }
  return bias === undefined
    ? plainLinear(x, weight)
    : fuse("linear", [x, weight, bias], (rows, matrix, shift) => plainLinear(rows!, matrix!, shift));
}

function plainLinear(x: Value, weight: Value, bias?: Value): Value {
  const [outputs, inputs] = weight.shape as [number, number];
  const values = bias === undefined ? [x, weight] : [x, weight, bias];
  return operate("linear", values, (record, tape) => {
    if (record !== null) {
      const saved = record.needs[1] ? record.save(x) : null;
      const through = record.needs[0] ? throughWeight(tape, record, weight) : null;
      const plus = record.needs[0] && x.shape.length === 2 ? throughWeightPlus(tape, record, weight) : undefined;
      record.addsKnown = plus !== undefined;
      record.backward = (gradient, [wantX, wantWeight, wantBias], known) => {
        const rows = wantWeight || wantBias ? flatten(gradient, outputs) : null;
        const gradientX = (): Tensor | null => {
          if (known !== null && plus !== undefined) return plus(rows ?? gradient, known);
          return through === null ? null : unflatten(through(rows ?? gradient), x.shape, inputs);
        };
        return [
          wantX ? gradientX() : null,
          wantWeight && rows !== null && saved !== null
            ? tape.kernels.product(rows, flatten(saved(), inputs), true, false)
            : null,
          wantBias && rows !== null ? tape.kernels.columnSum(rows) : null,
        ];
      };
    }
    return unflatten(timesWeight(tape, x.tensor, weight, bias?.tensor as Tensor1D | undefined), x.shape, outputs);
  });
}

function unflatten(rows: Tensor, shape: readonly number[], columns: number): Tensor {
  return inShape(rows, [...shape.slice(0, -1), columns]);
}

/** Options of {@link matmul}. */
export interface MatmulOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/**
 * Product over the last two axes; both 2-D, or with equal leading axes. Saves each factor only if the other one needs a
 * gradient. `@throws THAW_AUTOGRAD_SHAPE`
 */
export function matmul(a: Value, b: Value, options: MatmulOptions = {}): Value {
  const { transposeA = false, transposeB = false } = options;
  if (
    a.shape.length !== b.shape.length ||
    a.shape.length < 2 ||
    sizeOf(a.shape.slice(0, -2)) !== sizeOf(b.shape.slice(0, -2))
  ) {
    throw badArgument(
      "matmul",
      `The shapes are [${a.shape.join(", ")}] and [${b.shape.join(", ")}].`,
      "Give both the same leading axes.",
      { a: a.shape, b: b.shape },
    );
  }
  return operate("matmul", [a, b], (record, tape) => {
    if (record !== null) {
      const savedA = record.needs[1] ? record.save(a) : null;
      const savedB = record.needs[0] ? record.save(b) : null;
      record.backward = (gradient, [wantA, wantB]) => {
        const gradientA = (other: Tensor) =>
          transposeA
            ? tape.kernels.product(other, gradient, transposeB, true)
            : tape.kernels.product(gradient, other, false, !transposeB);
        const gradientB = (other: Tensor) =>
          transposeB
            ? tape.kernels.product(gradient, other, true, transposeA)
            : tape.kernels.product(other, gradient, !transposeA, false);
        return [
          wantA && savedB !== null ? gradientA(savedB()) : null,
          wantB && savedA !== null ? gradientB(savedA()) : null,
        ];
      };
    }
    return tape.kernels.product(a.tensor, b.tensor, transposeA, transposeB);
  });
}
