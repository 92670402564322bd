import { add, causalConvolution, clamp, mul, reshape, scale, sigmoid, slice, type Value } from "@thaw/autograd";
import { rowOffsets, type Scope } from "@thaw/contracts";
import { scalar } from "@tensorflow/tfjs-core";
import { activate } from "../../blocks/activations.js";
import { normed, normSpecs } from "../../layers/norms.js";
import { projectionOf, type ProjectionKind } from "../../layers/projection.js";
import type { EncoderLayer } from "../encoder-layer.js";
import { nearAttention } from "./attention.js";
import type { Gemma4AudioConfig } from "./config.js";

/** Of norms whose epsilon no config says. */
const EPSILON = 1e-6;
/** Columns inside a feed-forward part, by those of its input. */
const WIDENING = 4;

/**
 * One layer of Gemma 4's tower for sound, a Conformer's (Gulati et al., arXiv:2005.08100): half a feed-forward part,
 * attention to near rows, a gated convolution over rows before, half a feed-forward part, a norm. Source: transformers
 * 5.24, `modeling_gemma4.py`, `Gemma4AudioLayer`.
 */
export function gemma4AudioLayer(config: Gemma4AudioConfig, projections: ProjectionKind): EncoderLayer {
  const { hiddenSize, taps, activation, residualWeight, bound, epsilon } = config;
  const linear = projectionOf(projections);
  const attention = nearAttention(config, linear);
  const norm = { epsilon: EPSILON };
  const ownNorm = { epsilon };
  const bounded = (x: Value, scope: Scope): Value => clamp(x, scope.own(scalar(-bound)), scope.own(scalar(bound)));
  const forwardSpecs = (name: string) => [
    ...normSpecs(`${name}.pre_layer_norm`, hiddenSize, norm),
    ...linear.specs(`${name}.ffw_layer_1`, hiddenSize, WIDENING * hiddenSize, false),
    ...linear.specs(`${name}.ffw_layer_2`, WIDENING * hiddenSize, hiddenSize, false),
    ...normSpecs(`${name}.post_layer_norm`, hiddenSize, norm),
  ];
  const fedForward = (x: Value, name: string, scope: Scope): Value => {
    const even = normed(bounded(x, scope), `${name}.pre_layer_norm`, norm, scope);
    const inner = activate(activation, linear.run(even, `${name}.ffw_layer_1`, scope));
    const made = bounded(linear.run(inner, `${name}.ffw_layer_2`, scope), scope);
    return add(scale(normed(made, `${name}.post_layer_norm`, norm, scope), residualWeight), x);
  };
  const convolved = (x: Value, name: string, offsets: Int32Array, scope: Scope): Value => {
    const start = linear.run(normed(x, `${name}.pre_layer_norm`, ownNorm, scope), `${name}.linear_start`, scope);
    const half = (at: 0 | 1): Value => slice(start, [0, at * hiddenSize], [x.shape[0]!, hiddenSize]);
    const weight = reshape(scope.parameter(`${name}.depthwise_conv1d.weight`), [hiddenSize, taps]);
    const mixed = bounded(causalConvolution(mul(half(0), sigmoid(half(1))), weight, { offsets }), scope);
    const even = activate(activation, normed(mixed, `${name}.conv_norm`, ownNorm, scope));
    return add(linear.run(even, `${name}.linear_end`, scope), x);
  };
  return {
    formula: `gemma 4 audio layer ${projections} ${JSON.stringify(config)}`,
    specs: (name) => [
      ...forwardSpecs(`${name}.feed_forward1`),
      ...forwardSpecs(`${name}.feed_forward2`),
      ...attention.specs(`${name}.self_attn`),
      ...linear.specs(`${name}.lconv1d.linear_start`, hiddenSize, 2 * hiddenSize, false),
      ...linear.specs(`${name}.lconv1d.linear_end`, hiddenSize, hiddenSize, false),
      { name: `${name}.lconv1d.depthwise_conv1d.weight`, shape: [hiddenSize, 1, taps], role: "linear", fanIn: taps },
      ...["lconv1d.pre_layer_norm", "lconv1d.conv_norm", "norm_pre_attn", "norm_post_attn", "norm_out"].flatMap(
        (part) => normSpecs(`${name}.${part}`, hiddenSize, norm),
      ),
    ],
    run(name, x, { spans }, scope) {
      const offsets = rowOffsets(spans.samples.map(({ queries }) => queries));
      const first = fedForward(x, `${name}.feed_forward1`, scope);
      const read = normed(bounded(first, scope), `${name}.norm_pre_attn`, norm, scope);
      const seen = bounded(attention.run(`${name}.self_attn`, read, spans, scope), scope);
      const attended = add(normed(seen, `${name}.norm_post_attn`, norm, scope), first);
      const mixed = convolved(attended, `${name}.lconv1d`, offsets, scope);
      const last = bounded(fedForward(mixed, `${name}.feed_forward2`, scope), scope);
      return normed(last, `${name}.norm_out`, norm, scope);
    },
  };
}
