import { add, causalConvolution, gatherRows, mul, release, reshape, slice, type Value } from "@thaw/autograd";
import { linearSpecs } from "../blocks/specs.js";
import type { LayerPass } from "../decoders/layer-kind.js";
import type { Mixer } from "./parts.js";

/** A gated short convolution. */
export interface ShortConvolutionOptions {
  readonly hiddenSize: number;
  /** Rows that a row sees, itself included. */
  readonly taps: number;
  readonly hasBias?: boolean;
  /** Name of the module in its layer. Default: `conv`. */
  readonly name?: string;
}

/**
 * LFM2's operator: `out(C * convolution(B * x))` with `B`, `C` and `x` from one projection. Its layer kind has
 * `window: taps` and remembers one tensor. Source: transformers 5.23, `modeling_lfm2.py`, `Lfm2ShortConv`.
 */
export function shortConvolution(options: ShortConvolutionOptions): Mixer {
  const { hiddenSize, taps, hasBias = false, name = "conv" } = options;
  return {
    formula: `short convolution ${JSON.stringify(options)}`,
    specs: (layer) => [
      ...linearSpecs(`${layer}.${name}.in_proj`, hiddenSize, 3 * hiddenSize, hasBias),
      { name: `${layer}.${name}.conv.weight`, shape: [hiddenSize, 1, taps], role: "linear", fanIn: taps },
      ...(hasBias ? [{ name: `${layer}.${name}.conv.bias`, shape: [hiddenSize], role: "bias" } as const] : []),
      ...linearSpecs(`${layer}.${name}.out_proj`, hiddenSize, hiddenSize, hasBias, "residual"),
    ],
    run(layer, index, { x, pass, chosen }, scope) {
      const projected = scope.linear(x, `${layer}.${name}.in_proj`);
      const part = (at: number): Value => slice(projected, [0, at * hiddenSize], [x.shape[0]!, hiddenSize]);
      const gated = mul(part(0), part(2));
      const weight = reshape(scope.parameter(`${layer}.${name}.conv.weight`), [hiddenSize, taps]);
      const bias = hasBias ? scope.parameter(`${layer}.${name}.conv.bias`) : undefined;
      const convolved = convolveSeen(gated, weight, bias, index, pass);
      const opened = mul(part(1), convolved);
      release(gated, convolved);
      const rows = chosen === undefined ? opened : gatherRows(opened, chosen.rows);
      return { mixed: scope.linear(rows, `${layer}.${name}.out_proj`) };
    },
  };
}

/**
 * The causal convolution of `x [rows, channels]` with `weight [channels, taps]` over all rows that are seen, those that
 * the pass remembers included: `[rows, channels]`.
 */
export function convolveSeen(
  x: Value,
  weight: Value,
  bias: Value | undefined,
  layer: number,
  { remember, offsets, seenOffsets }: LayerPass,
): Value {
  const seen = remember?.(layer, [x])[0] ?? x;
  const all = causalConvolution(seen, weight, { offsets: seenOffsets });
  const own = remember === undefined ? all : gatherRows(all, ownRows(offsets, seenOffsets));
  return bias === undefined ? own : add(own, bias);
}

/** Of all rows that are seen, the last ones of each stretch: those of the pass itself. */
function ownRows(offsets: Int32Array, seenOffsets: Int32Array): Int32Array {
  const rows = new Int32Array(offsets.at(-1)!);
  for (let stretch = 0; stretch + 1 < offsets.length; stretch++) {
    const behind = seenOffsets[stretch + 1]! - offsets[stretch + 1]!;
    for (let row = offsets[stretch]!; row < offsets[stretch + 1]!; row++) rows[row] = row + behind;
  }
  return rows;
}
