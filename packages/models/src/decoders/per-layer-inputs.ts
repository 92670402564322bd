import {
  add,
  embedding,
  gatherRows,
  mul,
  reshape,
  scale,
  scatterRows,
  slice,
  stopGradient,
  type Value,
} from "@thaw/autograd";
import type { Scope } from "@thaw/contracts";
import { activate, type ActivationName } from "../blocks/activations.js";
import { linearSpecs } from "../blocks/specs.js";
import type { ParameterSpec } from "../contract/family.js";
import { normed, normSpecs, type NormOptions } from "../layers/norms.js";
import type { ChosenRows } from "./decoder.js";

/** What each layer reads of a row's token beside its hidden state. */
export interface PerLayerInputsOptions {
  /** Columns for each layer. */
  readonly size: number;
  /** Rows of the table. */
  readonly vocabularySize: number;
  readonly activation: ActivationName;
  /** The id whose line of the table is never trained: of padding, which stands for pictures. */
  readonly paddingId: number;
}

/** Per-layer inputs of a decoder. */
export interface PerLayerInputs {
  /** Parameters of what all layers read. */
  readonly specs: readonly ParameterSpec[];
  /** Parameters of the layer with that name. */
  layerSpecs(layer: string): readonly ParameterSpec[];
  /** Of ids `[rows]` and what was embedded, `[rows, hidden]`: `[rows, layers * size]`, layer after layer. */
  beside(ids: Int32Array, embedded: Value, scope: Scope): Value;
  /** A layer's columns of that, of all rows or of the chosen ones. */
  ofLayer(beside: Value, index: number, chosen: ChosenRows | undefined): Value;
  /** `x [rows, hidden]` with what the layer makes of `own [rows, size]` added. */
  add(x: Value, own: Value, layer: string, scope: Scope): Value;
}

/**
 * Gemma 3n's and Gemma 4's per-layer embeddings: a line of a table for the token plus a projection of what was
 * embedded, which each layer reads through a gate. Source: transformers 5.24, `modeling_gemma4.py`,
 * `project_per_layer_inputs`.
 */
export function perLayerInputs(
  { size, vocabularySize, activation, paddingId }: PerLayerInputsOptions,
  prefix: string,
  hiddenSize: number,
  layerCount: number,
  norm: NormOptions,
): PerLayerInputs {
  const width = layerCount * size;
  const [table, projection, projectionNorm] = [
    `${prefix}.embed_tokens_per_layer.weight`,
    `${prefix}.per_layer_model_projection`,
    `${prefix}.per_layer_projection_norm`,
  ];
  const names = (layer: string) => ({
    gate: `${layer}.per_layer_input_gate`,
    out: `${layer}.per_layer_projection`,
    norm: `${layer}.post_per_layer_input_norm`,
  });
  return {
    specs: [
      { name: table, shape: [vocabularySize, width], role: "embedding" },
      ...linearSpecs(projection, hiddenSize, width, false),
      ...normSpecs(projectionNorm, size, norm),
    ],
    layerSpecs(layer) {
      const { gate, out, norm: outNorm } = names(layer);
      return [
        ...linearSpecs(gate, hiddenSize, size, false),
        ...linearSpecs(out, size, hiddenSize, false, "residual"),
        ...normSpecs(outNorm, hiddenSize, norm),
      ];
    },
    beside(ids, embedded, scope) {
      const looked = scale(lines(scope.parameter(table), ids, paddingId), Math.fround(Math.sqrt(size)));
      const projected = scale(scope.linear(embedded, projection), hiddenSize ** -0.5);
      const even = normed(reshape(projected, [ids.length * layerCount, size]), projectionNorm, norm, scope);
      return scale(add(reshape(even, [ids.length, width]), looked), Math.SQRT1_2);
    },
    ofLayer(beside, index, chosen) {
      const own = slice(beside, [0, index * size], [beside.shape[0]!, size]);
      return chosen === undefined ? own : gatherRows(own, chosen.rows);
    },
    add(x, own, layer, scope) {
      const { gate, out, norm: outNorm } = names(layer);
      const opened = mul(activate(activation, scope.linear(x, gate)), own);
      return add(x, normed(scope.linear(opened, out), outNorm, norm, scope));
    },
  };
}

/** Lines of a table by id; that of padding gets no gradient, as `padding_idx` of PyTorch's embeddings has it. */
function lines(table: Value, ids: Int32Array, paddingId: number): Value {
  const looked = embedding(table, ids, [ids.length]);
  const padding = Int32Array.from([...ids.keys()].filter((row) => ids[row] === paddingId));
  return padding.length === 0 ? looked : scatterRows(looked, padding, stopGradient(gatherRows(looked, padding)));
}
