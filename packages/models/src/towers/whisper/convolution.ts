import { add, concat, gatherRows, gelu, matmul, reshape, transpose, type Value } from "@thaw/autograd";
import type { Scope } from "@thaw/contracts";
import { fill } from "@tensorflow/tfjs-core";
import type { ParameterSpec } from "../../contract/family.js";

/** Frames that one output row is made of. */
const TAPS = 3;

/** A stretch of frames that convolutions do not look beyond. */
export interface Stretch {
  /** Its first row. */
  readonly start: number;
  /** Its rows, and those behind the convolution. */
  readonly rows: number;
  readonly outputs: number;
}

/** Parameters of a convolution over three frames. */
export function convolutionSpecs(name: string, inputs: number, outputs: number): readonly ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [outputs, inputs, TAPS], role: "linear", fanIn: inputs * TAPS },
    { name: `${name}.bias`, shape: [outputs], role: "bias" },
  ];
}

/**
 * A convolution over three frames with zeros before and behind every stretch, output row i around frame `i * step`,
 * then GELU: `[rows, inputs]` to `[outputs of all stretches, width]`. Three rows side by side times the weight, one
 * product. Source: `Conv1d(kernel_size=3, stride=step, padding=1)` of `Qwen2AudioEncoder`, transformers 5.24.
 */
export function convolved(x: Value, name: string, stretches: readonly Stretch[], step: number, scope: Scope): Value {
  const [rows, inputs] = x.shape as [number, number];
  const padded = concat([x, scope.own(fill([1, inputs], 0))], 0);
  const places = Int32Array.from(
    stretches.flatMap((stretch) =>
      Array.from({ length: stretch.outputs * TAPS }, (_, at) => {
        const frame = Math.floor(at / TAPS) * step + (at % TAPS) - 1;
        return frame >= 0 && frame < stretch.rows ? stretch.start + frame : rows;
      }),
    ),
  );
  const windows = reshape(gatherRows(padded, places), [places.length / TAPS, TAPS * inputs]);
  const weight = scope.parameter(`${name}.weight`);
  const kernel = reshape(transpose(weight, [2, 1, 0]), [TAPS * inputs, weight.shape[0]!]);
  return gelu(add(matmul(windows, kernel), scope.parameter(`${name}.bias`)));
}
