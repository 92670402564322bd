import {
  add,
  causalConvolution,
  concat,
  embedding,
  gatherRows,
  multiHeadAttention,
  rmsNorm,
  rotaryHeads,
  silu,
  slice,
  type Value,
} from "@thaw/autograd";
import type { Scope } from "@thaw/core";
import {
  type ChosenRows,
  type Decoder,
  decoderNames,
  decoderSegments,
  type LayerKind,
  type LayerPass,
  linearSpecs,
  namesOf,
  type ParameterSpec,
  type Place,
  rotaryFrequencies,
} from "@thaw/models";
import { SIZES } from "./towers.js";

const { hidden, vocabulary } = SIZES;
const HEADS = 2;
const HEAD_SIZE = 6;
/** Columns of what every layer reads beside the hidden states. */
const BESIDE = 2;
const TAPS = 3;
/** Pairs of a head follow time, row and column. */
const rotary = { frequencies: rotaryFrequencies(HEAD_SIZE, 50), axes: [0, 1, 2] };

/** A window that cuts pictures too, a convolution, and layers that see pictures whole. */
const KINDS = {
  sliding: { name: "sliding", window: 4, rotary, remembers: 2 },
  conv: { name: "conv", window: TAPS, remembers: 1 },
  full: { name: "full", bothWays: "whole", rotary, remembers: 2 },
} as const satisfies Record<string, LayerKind>;
/** The last layer takes the keys and values of the one before it. */
const LAYERS = ["sliding", "conv", "full", "full"] as const;
const SHARING = 3;

const takesFrom = (layer: number): number | undefined => (layer === SHARING ? SHARING - 1 : undefined);
const layerName = (index: number): string => `language_model.layers.${index}`;

/** Four layers of three kinds, per-layer inputs, shared keys, capped logits: all that a decoder may be at once. */
export function mixedDecoder(place: Place): Decoder {
  const embed: ParameterSpec = { name: "language_model.embed.weight", shape: [vocabulary, hidden], role: "embedding" };
  const beside = linearSpecs("language_model.beside", hidden, BESIDE * LAYERS.length, false);
  const layers = LAYERS.map((kind, index) => layerSpecs(kind, index));
  const norm: ParameterSpec = { name: "language_model.norm.weight", shape: [hidden], role: "norm" };
  const head = linearSpecs("lm_head", hidden, vocabulary, false);
  const parts = {
    embed: [embed.name],
    beside: namesOf(beside),
    layers: layers.map(namesOf),
    norm: [norm.name],
    head: namesOf(head),
  };
  return {
    parameters: [embed, ...beside, ...layers.flat(), norm, ...head],
    names: decoderNames(place.component),
    segments: decoderSegments(place, parts, takesFrom),
    layerCount: LAYERS.length,
    hiddenSize: hidden,
    kinds: Object.values(KINDS),
    kindOf: (layer) => LAYERS[layer]!,
    outputWeight: "lm_head.weight",
    outputLayer: "lm_head",
    logits: { scale: 1.5, cap: 4 },
    embed: (ids, scope) => embedding(scope.parameter(embed.name), ids, [ids.length]),
    beside: (_ids, embedded, scope) => scope.linear(embedded, "language_model.beside"),
    handsOn: (layer) => (layer + 1 === SHARING ? 2 * hidden : 0),
    takesFrom,
    layer(index, { x, beside: all, handed }, decoderPass, scope, chosen) {
      const pass = decoderPass.of(LAYERS[index]!);
      const name = layerName(index);
      const h = rmsNorm(x, scope.parameter(`${name}.norm.weight`), 1e-6);
      const { mixed, handsOn } =
        LAYERS[index] === "conv"
          ? { mixed: convolve(name, index, h, pass, scope), handsOn: undefined }
          : attend(name, index, h, handed, pass, scope, chosen);
      const rows = (given: Value): Value => (chosen === undefined ? given : gatherRows(given, chosen.rows));
      const own = slice(all!, [0, BESIDE * index], [all!.shape[0]!, BESIDE]);
      const wide = silu(add(scope.linear(mixed, `${name}.out`), scope.linear(rows(own), `${name}.own`)));
      const output = add(rows(x), scope.linear(wide, `${name}.down`));
      return handsOn === undefined ? output : concat([output, handsOn], 1);
    },
    norm: (x, scope) => rmsNorm(x, scope.parameter(norm.name), 1e-6),
  };
}

function layerSpecs(kind: keyof typeof KINDS, index: number): readonly ParameterSpec[] {
  const name = layerName(index);
  const linear = (part: string, inputs: number = hidden): readonly ParameterSpec[] =>
    linearSpecs(`${name}.${part}`, inputs, hidden, false);
  const mixer =
    kind === "conv"
      ? [...linear("in"), { name: `${name}.taps`, shape: [hidden, TAPS], role: "linear" } satisfies ParameterSpec]
      : [...linear("query"), ...(index === SHARING ? [] : [...linear("key"), ...linear("value")])];
  return [
    { name: `${name}.norm.weight`, shape: [hidden], role: "norm" },
    ...mixer,
    ...linear("out"),
    ...linear("own", BESIDE),
    ...linear("down"),
  ];
}

/** `[rows, hidden]`: every row of its own input and of the two before it. */
function convolve(name: string, layer: number, h: Value, pass: LayerPass, scope: Scope): Value {
  const inputs = scope.linear(h, `${name}.in`);
  const [seen] = pass.remember?.(layer, [inputs]) ?? [inputs];
  const all = causalConvolution(seen!, scope.parameter(`${name}.taps`), { offsets: pass.seenOffsets });
  if (pass.remember === undefined) return all;
  const { offsets, seenOffsets } = pass;
  const own = Array.from({ length: offsets.length - 1 }, (_, stretch) => {
    const count = offsets[stretch + 1]! - offsets[stretch]!;
    return Array.from({ length: count }, (_unused, at) => seenOffsets[stretch + 1]! - count + at);
  });
  return gatherRows(all, Int32Array.from(own.flat()));
}

function attend(
  name: string,
  layer: number,
  h: Value,
  handed: Value | undefined,
  pass: LayerPass,
  scope: Scope,
  chosen: ChosenRows | undefined,
): { readonly mixed: Value; readonly handsOn: Value | undefined } {
  const turn = (x: Value, { rotary: lines }: LayerPass): Value => rotaryHeads(x, HEADS, lines!.cos, lines!.sin);
  const asking = chosen?.pass ?? pass;
  const asked = chosen === undefined ? h : gatherRows(h, chosen.rows);
  const queries = turn(scope.linear(asked, `${name}.query`), asking);
  const part = (index: number): Value => slice(handed!, [0, index * hidden], [handed!.shape[0]!, hidden]);
  const made =
    handed === undefined
      ? [turn(scope.linear(h, `${name}.key`), pass), scope.linear(h, `${name}.value`)]
      : [part(0), part(1)];
  const [keys, values] = pass.remember?.(takesFrom(layer) ?? layer, made) ?? made;
  const options = { headCount: HEADS, keyValueHeadCount: HEADS, scale: HEAD_SIZE ** -0.5, spans: asking.spans };
  return {
    mixed: multiHeadAttention(queries, keys!, values!, options),
    handsOn: layer + 1 === SHARING ? concat(made, 1) : undefined,
  };
}
