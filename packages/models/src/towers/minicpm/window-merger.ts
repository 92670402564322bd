import { add, mean, multiHeadAttention, reshape } from "@thaw/autograd";
import { activate } from "../../blocks/activations.js";
import { linearSpecs } from "../../blocks/specs.js";
import { normed, normSpecs } from "../../layers/norms.js";
import type { EncoderLayer } from "../encoder-layer.js";
import type { MiniCpmVisionConfig } from "./config.js";

/** Rows of a window. */
export const WINDOW = 4;

/**
 * Windows of 2x2 patches, whose rows lie together: they attend to themselves, then become one, an MLP over all of their
 * columns plus their mean. Source: transformers 5.24, `modeling_minicpmv4_6.py`,
 * `MiniCPMV4_6ViTWindowAttentionMerger`.
 */
export function windowMerger({ hiddenSize, intermediateSize, headCount, epsilon }: MiniCpmVisionConfig): EncoderLayer {
  const norm = { kind: "layer", epsilon } as const;
  const [width, inner] = [WINDOW * hiddenSize, WINDOW * intermediateSize];
  const projections = ["q_proj", "k_proj", "v_proj"] as const;
  return {
    formula: `window merger ${JSON.stringify({ hiddenSize, inner, headCount, epsilon })}`,
    specs: (name) => [
      ...normSpecs(`${name}.layer_norm1`, hiddenSize, norm),
      ...[...projections, "out_proj"].flatMap((part) =>
        linearSpecs(`${name}.self_attn.${part}`, hiddenSize, hiddenSize, true),
      ),
      ...normSpecs(`${name}.pre_norm`, width, norm),
      ...linearSpecs(`${name}.linear_1`, width, inner, true),
      ...linearSpecs(`${name}.linear_2`, inner, hiddenSize, true),
    ],
    run(name, x, { spans }, scope) {
      const h = normed(x, `${name}.layer_norm1`, norm, scope);
      const [queries, keys, values] = projections.map((part) => scope.linear(h, `${name}.self_attn.${part}`));
      const scale = (hiddenSize / headCount) ** -0.5;
      const mixed = multiHeadAttention(queries!, keys!, values!, { headCount, scale, spans });
      const attended = add(x, scope.linear(mixed, `${name}.self_attn.out_proj`));
      const rows = x.shape[0]! / WINDOW;
      const even = normed(reshape(attended, [rows, width]), `${name}.pre_norm`, norm, scope);
      const inside = activate("gelu_pytorch_tanh", scope.linear(even, `${name}.linear_1`));
      const means = mean(reshape(attended, [rows, WINDOW, hiddenSize]), 1);
      return add(scope.linear(inside, `${name}.linear_2`), means);
    },
  };
}
