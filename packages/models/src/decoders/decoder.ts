import { type AttentionSpans, linear, release, type Value } from "@thaw/autograd";
import type { Scope, Segment } from "@thaw/contracts";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { ParameterSpec } from "../contract/family.js";
import type { MixedTokens } from "../blocks/merge-features.js";
import type { RotaryTable } from "../blocks/rope.js";

/** Segment of the whole language model. */
export const LANGUAGE_SEGMENT = "language_model";

/** What a decoder layer needs beside its input. */
export interface DecoderPass {
  /** Rotary positions, `[lines, headSize]`: one line a row, or one a position where all samples have the same. */
  readonly cos: Tensor;
  readonly sin: Tensor;
  readonly spans: AttentionSpans;
  /** Hands over a layer's new keys and values, `[rows, kvHeads * headSize]`, and gets back those to attend to. */
  readonly remember?: (layer: number, keys: Value, values: Value) => readonly [Value, Value];
}

/**
 * Some rows of a layer's input, ascending, for which alone its output is wanted: keys and values are made of all rows,
 * everything else of these.
 */
export interface ChosenRows {
  readonly rows: Int32Array;
  /** Positions and spans of these as queries. */
  readonly pass: DecoderPass;
}

/** A causal language model with its sizes known. */
export interface Decoder {
  readonly parameters: readonly ParameterSpec[];
  /** The decoder's own segment first, then those inside it, in data-flow order. */
  readonly segments: readonly Segment[];
  readonly layerCount: number;
  /** Checkpoint name of the `[vocabulary, hidden]` weight that makes logits. */
  readonly outputWeight: string;
  /** Name of the linear layer that holds it, unless it is the embedding's. */
  readonly outputLayer?: string;
  /** Embeds `ids`: `[ids.length, hidden]`. */
  embed(ids: Int32Array, scope: Scope): Value;
  /** One layer: `[rows, hidden]` to the same, or to the chosen rows. */
  layer(index: number, x: Value, pass: DecoderPass, scope: Scope, chosen?: ChosenRows): Value;
  /** The norm after the last layer. */
  norm(x: Value, scope: Scope): Value;
  rotary(start: number, count: number): RotaryTable;
}

/** Segment names of a decoder. */
export const decoderSegment = {
  embed: `${LANGUAGE_SEGMENT}.embed`,
  layer: (index: number): string => `${LANGUAGE_SEGMENT}.layers.${index}`,
  norm: `${LANGUAGE_SEGMENT}.norm`,
  head: `${LANGUAGE_SEGMENT}.head`,
};

/** Segments of a decoder whose embeddings read the segment `after`. */
export function decoderSegments(
  after: string,
  parts: {
    readonly embed: readonly string[];
    readonly layers: readonly (readonly string[])[];
    readonly norm: readonly string[];
    readonly head: readonly string[];
  },
): readonly Segment[] {
  const last = parts.layers.length - 1;
  const { embed, layer, norm, head } = decoderSegment;
  return [
    {
      name: LANGUAGE_SEGMENT,
      after: [after],
      reads: [],
      parameters: [...new Set([...parts.embed, ...parts.layers.flat(), ...parts.norm, ...parts.head])],
    },
    { name: embed, after: [after], reads: [], parameters: parts.embed },
    ...parts.layers.map((parameters, index) => ({
      name: layer(index),
      after: [index === 0 ? embed : layer(index - 1)],
      reads: [],
      parameters,
    })),
    { name: norm, after: [last < 0 ? embed : layer(last)], reads: [], parameters: parts.norm },
    { name: head, after: [norm], reads: [], parameters: parts.head },
  ];
}

/** The segment `language_model.embed`: `[rows, hidden]`. */
export function embedTokens(decoder: Decoder, tokens: MixedTokens, scope: Scope, features: Value | undefined): Value {
  return scope.segment(decoderSegment.embed, features === undefined ? [] : [features], (given?: Value) =>
    tokens.merge(decoder.embed(tokens.tokenIds, scope), given),
  );
}

/**
 * All layers but the last, one segment each: `[rows, hidden]` to the same. Lets go of its input and of what is between
 * layers.
 */
export function runInnerLayers(decoder: Decoder, embedded: Value, pass: DecoderPass, scope: Scope): Value {
  let x = embedded;
  for (let index = 0; index + 1 < decoder.layerCount; index++) {
    const next = scope.segment(decoderSegment.layer(index), [x], (input) => decoder.layer(index, input, pass, scope));
    release(x);
    x = next;
  }
  return x;
}

/** The last layer and the norm, one segment each: of all rows, or of the chosen ones. */
export function runLastLayer(decoder: Decoder, x: Value, pass: DecoderPass, scope: Scope, chosen?: ChosenRows): Value {
  const last = decoder.layerCount - 1;
  const mixed =
    last < 0
      ? x
      : scope.segment(decoderSegment.layer(last), [x], (input) => decoder.layer(last, input, pass, scope, chosen));
  return scope.segment(decoderSegment.norm, [mixed], (input) => decoder.norm(input, scope));
}

/** The vocabulary product on `[rows, hidden]`. */
export function outputLogits(decoder: Decoder, rows: Value, scope: Scope): Value {
  return decoder.outputLayer === undefined
    ? linear(rows, scope.parameter(decoder.outputWeight))
    : scope.linear(rows, decoder.outputLayer);
}
