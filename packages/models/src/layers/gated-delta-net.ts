import {
  add,
  addScalar,
  exp,
  gatedDelta,
  gatherRows,
  log,
  mul,
  relu,
  reshape,
  rmsNorm,
  scale,
  sigmoid,
  silu,
  slice,
  square,
  sqrt,
  div,
  sum,
  transpose,
  type Value,
} from "@thaw/autograd";
import type { Scope } from "@thaw/contracts";
import { linearSpecs } from "../blocks/specs.js";
import type { Mixer } from "./parts.js";
import { convolveSeen } from "./short-convolution.js";

/** A gated delta net. */
export interface GatedDeltaNetOptions {
  readonly hiddenSize: number;
  readonly keyHeadCount: number;
  /** A multiple of the key heads: each of those serves as many. */
  readonly valueHeadCount: number;
  readonly keyHeadSize: number;
  readonly valueHeadSize: number;
  /** Rows that the convolution before it sees. */
  readonly taps: number;
  readonly epsilon: number;
  /** Name of the module in its layer. Default: `linear_attn`. */
  readonly name?: string;
}

/** Added to squared lengths before queries and keys are brought to length 1. */
const LENGTH_EPSILON = 1e-6;

/**
 * Qwen3.5's recurrent mixer (Yang et al., arXiv:2412.06464): a short convolution, the gated delta rule, a norm whose
 * output is gated. Its layer kind has `window: taps`, remembers one tensor and is recurrent. Source: transformers 5.23,
 * `modeling_qwen3_5.py`, `Qwen3_5GatedDeltaNet`.
 */
export function gatedDeltaNet(options: GatedDeltaNetOptions): Mixer {
  const { hiddenSize, keyHeadCount, valueHeadCount, keyHeadSize, valueHeadSize, taps, epsilon } = options;
  const module = options.name ?? "linear_attn";
  const [keyWidth, valueWidth] = [keyHeadCount * keyHeadSize, valueHeadCount * valueHeadSize];
  const channels = 2 * keyWidth + valueWidth;
  return {
    formula: `gated delta net ${JSON.stringify(options)}`,
    specs(layer) {
      const name = `${layer}.${module}`;
      const linear = (part: string, outputs: number) => linearSpecs(`${name}.${part}`, hiddenSize, outputs, false);
      return [
        { name: `${name}.dt_bias`, shape: [valueHeadCount], role: "norm" },
        { name: `${name}.A_log`, shape: [valueHeadCount], role: "bias" },
        { name: `${name}.conv1d.weight`, shape: [channels, 1, taps], role: "linear", fanIn: taps },
        { name: `${name}.norm.weight`, shape: [valueHeadSize], role: "norm" },
        ...linearSpecs(`${name}.out_proj`, valueWidth, hiddenSize, false, "residual"),
        ...linear("in_proj_qkv", channels),
        ...linear("in_proj_z", valueWidth),
        ...linear("in_proj_b", valueHeadCount),
        ...linear("in_proj_a", valueHeadCount),
      ];
    },
    run(layer, index, { x, pass, chosen }, scope) {
      const name = `${layer}.${module}`;
      const rows = x.shape[0]!;
      const weight = reshape(scope.parameter(`${name}.conv1d.weight`), [channels, taps]);
      const mixed = silu(convolveSeen(scope.linear(x, `${name}.in_proj_qkv`), weight, undefined, index, pass));
      const part = (from: number, width: number): Value => slice(mixed, [0, from], [rows, width]);
      const repeats = valueHeadCount / keyHeadCount;
      const heads = (from: number): Value =>
        repeatHeads(unitLength(part(from, keyWidth), keyHeadSize), keyHeadCount, repeats);
      const initial = pass.state?.recall(index);
      const { output, state } = gatedDelta(
        scale(heads(0), keyHeadSize ** -0.5),
        heads(keyWidth),
        part(2 * keyWidth, valueWidth),
        decayOf(scope.linear(x, `${name}.in_proj_a`), name, scope),
        sigmoid(scope.linear(x, `${name}.in_proj_b`)),
        { headCount: valueHeadCount, offsets: pass.offsets, ...(initial && { initial }) },
      );
      pass.state?.keep(index, state);
      const wanted = (given: Value): Value => (chosen === undefined ? given : gatherRows(given, chosen.rows));
      const [own, gate] = [wanted(output), scope.linear(wanted(x), `${name}.in_proj_z`)];
      const byHead = reshape(own, [own.shape[0]! * valueHeadCount, valueHeadSize]);
      const normal = reshape(rmsNorm(byHead, scope.parameter(`${name}.norm.weight`), epsilon), own.shape);
      return { mixed: scope.linear(mul(normal, silu(gate)), `${name}.out_proj`) };
    },
  };
}

/** `-e^A softplus(a + bias)`: what the state fades by, as a logarithm, `[rows, heads]`. */
function decayOf(a: Value, name: string, scope: Scope): Value {
  const shifted = add(a, scope.parameter(`${name}.dt_bias`));
  return scale(mul(exp(scope.parameter(`${name}.A_log`)), softplus(shifted)), -1);
}

/** `log(1 + e^x)`, without overflow. */
function softplus(x: Value): Value {
  const size = add(relu(x), relu(scale(x, -1)));
  return add(relu(x), log(addScalar(exp(scale(size, -1)), 1)));
}

/** Every head of `x [rows, heads * size]` with length 1. */
function unitLength(x: Value, size: number): Value {
  const [rows, width] = x.shape as [number, number];
  const heads = reshape(x, [(rows * width) / size, size]);
  const lengths = sqrt(addScalar(sum(square(heads), 1, true), LENGTH_EPSILON));
  return reshape(div(heads, lengths), [rows, width]);
}

/** Every head so many times, one after the other: `[rows, heads * repeats * size]`. */
function repeatHeads(x: Value, headCount: number, repeats: number): Value {
  if (repeats === 1) return x;
  const [rows, width] = x.shape as [number, number];
  const size = width / headCount;
  const places = Int32Array.from({ length: headCount * repeats }, (_, place) => Math.floor(place / repeats));
  const byHead = reshape(transpose(reshape(x, [rows, headCount, size]), [1, 0, 2]), [headCount, rows * size]);
  const repeated = reshape(gatherRows(byHead, places), [headCount * repeats, rows, size]);
  return reshape(transpose(repeated, [1, 0, 2]), [rows, headCount * repeats * size]);
}
