import { crossEntropy, gatherRows, linear, release, reshape, type Value } from "@thaw/autograd";
import type { LoadedBatch, ModelOutput, Scope, Segment } from "@thaw/contracts";
import { tensor, type Tensor } from "@tensorflow/tfjs-core";
import { causalMask, hasInnerPadding } from "./attention-mask.js";
import type { ParameterSpec } from "./family.js";
import type { MixedTokens } from "./merge-features.js";
import type { RotaryTable } from "./rope.js";

/** Segment of the whole language model. */
export const LANGUAGE_SEGMENT = "language_model";

/** What a decoder layer needs beside its input. */
export interface DecoderPass {
  /** `[tokens, headSize]`. */
  readonly cos: Tensor;
  readonly sin: Tensor;
  /** Additive, broadcastable to `[batch, heads, queries, keys]`; absent where every key is visible. */
  readonly mask?: Tensor;
  /** Hands over a layer's new keys and values, `[batch, kvHeads, tokens, headSize]`, and gets back those to attend to. */
  readonly remember?: (layer: number, keys: Value, values: Value) => readonly [Value, Value];
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
  /** One layer: `[batch, tokens, hidden]` to the same. */
  layer(index: number, x: Value, pass: DecoderPass, scope: Scope): Value;
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
export function decoderSegments(after: string, parts: { readonly embed: readonly string[]; readonly layers: readonly (readonly string[])[]; readonly norm: readonly string[]; readonly head: readonly string[] }): readonly Segment[] {
  const last = parts.layers.length - 1;
  const { embed, layer, norm, head } = decoderSegment;
  return [
    { name: LANGUAGE_SEGMENT, after: [after], reads: [], parameters: [...new Set([...parts.embed, ...parts.layers.flat(), ...parts.norm, ...parts.head])] },
    { name: embed, after: [after], reads: [], parameters: parts.embed },
    ...parts.layers.map((parameters, index) => ({ name: layer(index), after: [index === 0 ? embed : layer(index - 1)], reads: [], parameters })),
    { name: norm, after: [last < 0 ? embed : layer(last)], reads: [], parameters: parts.norm },
    { name: head, after: [norm], reads: [], parameters: parts.head },
  ];
}

/** Runs a decoder on a batch whose tokens are `tokens`: final hidden states, `[batch, tokens, hidden]`. */
export function decode(decoder: Decoder, batch: LoadedBatch, tokens: MixedTokens, scope: Scope, features: Value | undefined): Value {
  const pass = wholePass(decoder, batch, scope);
  return scope.segment(LANGUAGE_SEGMENT, features === undefined ? [] : [features], (given?: Value) => {
    const x = runLayers(decoder, embedTokens(decoder, batch, tokens, scope, given), pass, scope);
    return scope.segment(decoderSegment.norm, [x], (input) => decoder.norm(input, scope));
  });
}

/** The layers, one segment each: `[batch, tokens, hidden]` to the same. Lets go of its input and of what is between layers. */
export function runLayers(decoder: Decoder, embedded: Value, pass: DecoderPass, scope: Scope): Value {
  let x = embedded;
  for (let index = 0; index < decoder.layerCount; index++) {
    const next = scope.segment(decoderSegment.layer(index), [x], (input) => decoder.layer(index, input, pass, scope));
    release(x);
    x = next;
  }
  return x;
}

/** The segment `language_model.embed`: `[batch, tokens, hidden]`. */
export function embedTokens(decoder: Decoder, batch: LoadedBatch, tokens: MixedTokens, scope: Scope, features: Value | undefined): Value {
  return scope.segment(decoderSegment.embed, features === undefined ? [] : [features], (given?: Value) => {
    const merged = tokens.merge(decoder.embed(tokens.tokenIds, scope), given);
    return reshape(merged, [batch.batchSize, batch.tokenCount, merged.shape[1]!]);
  });
}

/** A pass over whole rows. Positions count from a row's start, padding included: rotary attention knows differences only. */
function wholePass(decoder: Decoder, batch: LoadedBatch, scope: Scope): DecoderPass {
  const { attentionMask, batchSize, tokenCount } = batch;
  const make = (): Tensor => {
    const { values, shape } = causalMask(attentionMask, batchSize, tokenCount);
    return tensor(values, [...shape]);
  };
  const mask = hasInnerPadding(attentionMask, batchSize, tokenCount) ? scope.own(make()).tensor : sharedTensor(scope, `causal mask ${tokenCount}`, make);
  return { ...rotaryTensors(decoder, 0, tokenCount, scope), mask };
}

/** The rotary table as tensors that the scope keeps or frees. */
export function rotaryTensors(decoder: Decoder, start: number, count: number, scope: Scope): { readonly cos: Tensor; readonly sin: Tensor } {
  let table: RotaryTable | undefined;
  const part = (name: "cos" | "sin"): Tensor => sharedTensor(scope, `${decoder.outputWeight} rotary ${name} ${start} ${count}`, () => {
    table ??= decoder.rotary(start, count);
    return tensor(table[name], [count, table[name].length / count]);
  });
  return { cos: part("cos"), sin: part("sin") };
}

function sharedTensor(scope: Scope, key: string, make: () => Tensor): Tensor {
  return scope.shared?.(key, make) ?? scope.own(make()).tensor;
}

/** Logits and loss from final hidden states `[batch, tokens, hidden]`. */
export function modelOutput(decoder: Decoder, hidden: Value, scope: Scope): ModelOutput {
  const flat = (x: Value): Value => reshape(x, [x.shape[0]! * x.shape[1]!, x.shape[2]!]);
  const pick = (x: Value, rows: Int32Array | null): Value => (rows === null ? flat(x) : gatherRows(flat(x), rows));
  return {
    hidden,
    logits: (rows) => scope.segment(decoderSegment.head, [hidden], (x) => outputLogits(decoder, pick(x, rows), scope)),
    crossEntropy: (rows, targets, options) => scope.segment(decoderSegment.head, [hidden], (x) => {
      const bias = decoder.outputLayer === undefined ? undefined : `${decoder.outputLayer}.bias`;
      const offset = bias !== undefined && scope.hasParameter(bias) ? { bias: scope.parameter(bias) } : {};
      return crossEntropy(pick(x, rows), scope.parameter(decoder.outputWeight), targets, { ...options, ...offset });
    }),
  };
}

/** The vocabulary product on `[rows, hidden]`. */
export function outputLogits(decoder: Decoder, rows: Value, scope: Scope): Value {
  return decoder.outputLayer === undefined ? linear(rows, scope.parameter(decoder.outputWeight)) : scope.linear(rows, decoder.outputLayer);
}
