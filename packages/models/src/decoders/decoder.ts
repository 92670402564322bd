import { linear, release, scale, slice, softCap, type Value } from "@thaw/autograd";
import type { Scope, Segment } from "@thaw/contracts";
import type { ParameterSpec } from "../contract/family.js";
import type { MixedTokens } from "../blocks/merge-features.js";
import { type Addition, type Additions, additionsTo, addRows } from "./additions.js";
import type { DecoderSegments } from "./decoder-segments.js";
import type { DecoderPass, LayerKind, LayerPass } from "./layer-kind.js";

/**
 * Some rows of a layer's input, ascending, for which alone its output is wanted: what other rows look back to is made
 * of all rows, everything else of these.
 */
export interface ChosenRows {
  readonly rows: Int32Array;
  /** Positions and spans of these as queries. */
  readonly pass: LayerPass;
}

/** What a layer reads. */
export interface LayerInput {
  /** `[rows, hidden]`. */
  readonly x: Value;
  /** The output of {@link Decoder.beside}, `[rows, columns]`. */
  readonly beside?: Value;
  /** What the layer that {@link Decoder.takesFrom} names hands on, `[rows, columns]`. */
  readonly handed?: Value;
}

/** A language model with its sizes known, each row of which sees itself, rows before it and what `Attending` adds. */
export interface Decoder {
  readonly parameters: readonly ParameterSpec[];
  readonly names: DecoderSegments;
  /** The decoder's own segment first, then those inside it, in data-flow order. */
  readonly segments: readonly Segment[];
  readonly layerCount: number;
  readonly hiddenSize: number;
  readonly kinds: readonly LayerKind[];
  /** Name of a layer's kind. */
  kindOf(layer: number): string;
  /** Checkpoint name of the `[vocabulary, hidden]` weight that makes logits. */
  readonly outputWeight: string;
  /** Name of the linear layer that holds it, unless it is the embedding's. */
  readonly outputLayer?: string;
  /** What becomes of logits: first times `scale`, then `cap * tanh(logits / cap)`. */
  readonly logits?: { readonly scale?: number; readonly cap?: number };
  /** The id in whose stead placeholders are embedded before features take their rows. Default: 0. */
  readonly placeholderId?: number;
  /** Embeds `ids`: `[ids.length, hidden]`. */
  embed(ids: Int32Array, scope: Scope): Value;
  /** What all layers read beside the hidden states (Gemma's per-layer inputs), of the ids and of what was embedded. */
  readonly beside?: (ids: Int32Array, embedded: Value, scope: Scope) => Value;
  /** How many columns a layer's output has behind the hidden ones, for later layers. Default: 0. */
  readonly handsOn?: (layer: number) => number;
  /** The layer whose further columns a layer reads (keys that it shares). */
  readonly takesFrom?: (layer: number) => number | undefined;
  /** One layer: `[rows, hidden]`, of all rows or of the chosen ones, with the columns that it hands on behind. */
  layer(index: number, input: LayerInput, pass: DecoderPass, scope: Scope, chosen?: ChosenRows): Value;
  /** The norm after the last layer. */
  norm(x: Value, scope: Scope): Value;
}

/** Hidden states before a layer (the last one), and what that one reads beside them. */
export interface InnerStates {
  /** `[rows, hidden]`. */
  readonly x: Value;
  readonly besides: Omit<LayerInput, "x">;
  /** What is added behind that layer. */
  readonly added?: readonly Addition[];
}

/** Embeds tokens in the segment `embed`, with features in their places: `[rows, hidden]`. */
export function embedTokens(decoder: Decoder, tokens: MixedTokens, scope: Scope, features: readonly Value[]): Value {
  return scope.segment(decoder.names.embed, features, (...given) =>
    tokens.merge(decoder.embed(tokens.tokenIds, scope), ...given),
  );
}

/** All layers but the last, one segment each. Lets go of what is between layers. */
export function runInnerLayers(
  decoder: Decoder,
  ids: Int32Array,
  embedded: Value,
  pass: DecoderPass,
  scope: Scope,
  additions?: Additions,
): InnerStates {
  const { names, beside: makeBeside, hiddenSize } = decoder;
  const beside =
    makeBeside === undefined
      ? undefined
      : scope.segment(names.beside, [embedded], (given) => makeBeside(ids, given, scope));
  const handed = new Map<number, Value>();
  const besideOf = (layer: number): Omit<LayerInput, "x"> => {
    const from = decoder.takesFrom?.(layer);
    return { ...(beside && { beside }), ...(from !== undefined && { handed: handed.get(from)! }) };
  };
  let x = embedded;
  for (let layer = 0; layer + 1 < decoder.layerCount; layer++) {
    const whole = runLayer(decoder, layer, { x, besides: besideOf(layer) }, pass, scope);
    release(x);
    const columns = decoder.handsOn?.(layer) ?? 0;
    if (columns > 0) handed.set(layer, slice(whole, [0, hiddenSize], [whole.shape[0]!, columns]));
    const next = columns > 0 ? slice(whole, [0, 0], [whole.shape[0]!, hiddenSize]) : whole;
    x = addRows(next, additions?.get(layer) ?? []);
  }
  const last = decoder.layerCount - 1;
  const added = additions?.get(last);
  return { x, besides: besideOf(last), ...(added && { added }) };
}

/** The last layer and the norm, one segment each: `[rows, hidden]`, of all rows or of the chosen ones. */
export function runLastLayer(
  decoder: Decoder,
  states: InnerStates,
  pass: DecoderPass,
  scope: Scope,
  chosen?: ChosenRows,
): Value {
  const mixed =
    decoder.layerCount === 0 ? states.x : runLayer(decoder, decoder.layerCount - 1, states, pass, scope, chosen);
  const added = states.added ?? [];
  const x = addRows(mixed, chosen === undefined ? added : additionsTo(added, chosen.rows));
  return scope.segment(decoder.names.norm, [x], (input) => decoder.norm(input, scope));
}

function runLayer(
  decoder: Decoder,
  layer: number,
  { x: before, besides: beside }: Omit<InnerStates, "added">,
  pass: DecoderPass,
  scope: Scope,
  chosen?: ChosenRows,
): Value {
  const states = { x: before, besides: beside };
  return scope.segment(decoder.names.layer(layer), statesAsInputs(states), (...given) => {
    const { x, besides } = statesFromInputs(states, given);
    return decoder.layer(layer, { x, ...besides }, pass, scope, chosen);
  });
}

/** What {@link runLastLayer} reads, as inputs of a segment around it. */
export function statesAsInputs({ x, besides, added = [] }: InnerStates): readonly Value[] {
  return [
    x,
    ...(besides.beside ? [besides.beside] : []),
    ...(besides.handed ? [besides.handed] : []),
    ...added.map(({ rows }) => rows),
  ];
}

/** The same states from the inputs that such a segment gets. */
export function statesFromInputs({ besides, added = [] }: InnerStates, given: readonly Value[]): InnerStates {
  const rest = given.slice(1);
  return {
    x: given[0]!,
    besides: {
      ...(besides.beside && { beside: rest.shift()! }),
      ...(besides.handed && { handed: rest.shift()! }),
    },
    added: added.map(({ at }, index) => ({ at, rows: rest[index]! })),
  };
}

/** The vocabulary product on `[rows, hidden]`: `[rows, vocabulary]`. */
export function outputLogits(decoder: Decoder, rows: Value, scope: Scope): Value {
  const { scale: factor, cap } = decoder.logits ?? {};
  const plain =
    decoder.outputLayer === undefined
      ? linear(rows, scope.parameter(decoder.outputWeight))
      : scope.linear(rows, decoder.outputLayer);
  const scaled = factor === undefined ? plain : scale(plain, factor);
  return cap === undefined ? scaled : softCap(scaled, cap);
}
