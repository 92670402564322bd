import { add, concat, embedding, gatherRows, mul, release, scale, type Value } from "@thaw/autograd";
import type { Scope } from "@thaw/contracts";
import { namesOf } from "../blocks/specs.js";
import type { ParameterSpec } from "../contract/family.js";
import { normed, normSpecs, type NormOptions } from "../layers/norms.js";
import type { Mixer, RowBlock } from "../layers/parts.js";
import type { ChosenRows, Decoder, LayerInput } from "./decoder.js";
import { decoderNames, decoderSegments } from "./decoder-segments.js";
import type { Place } from "../contract/parts.js";
import type { LayerKind, LayerPass } from "./layer-kind.js";
import { perLayerInputs, type PerLayerInputs, type PerLayerInputsOptions } from "./per-layer-inputs.js";

/** How a checkpoint spells a decoder's names. */
export interface TextNames {
  /** Prefix of embeddings, layers and norm: `language_model.model`. */
  readonly prefix: string;
  /** The output layer: `language_model.lm_head`. */
  readonly head: string;
  /** True if the output layer is the embedding. */
  readonly isTied: boolean;
}

/** One layer: rows look at one another, then each is treated by itself. */
export interface TextLayer {
  /** Name of its kind. */
  readonly kind: string;
  readonly mixer: Mixer;
  readonly block: RowBlock;
  /** The layer whose further columns the mixer takes. */
  readonly takesFrom?: number;
  /** Columns that it hands on. */
  readonly handsOn?: number;
}

/** A decoder, composed. */
export interface TextDecoderOptions {
  readonly hiddenSize: number;
  readonly vocabularySize: number;
  readonly norm: NormOptions;
  readonly kinds: readonly LayerKind[];
  readonly layers: readonly TextLayer[];
  /** What mixer and block give is normed too before it is added (Gemma2 and later). */
  readonly normsOutputs?: boolean;
  /** Factor on embeddings (Gemma). Default: 1. */
  readonly embeddingScale?: number;
  /** Factor on what mixer and block add (Granite). Default: 1. */
  readonly residualScale?: number;
  readonly logits?: { readonly scale?: number; readonly cap?: number };
  /** Inputs of each layer beside the hidden states (Gemma 4). */
  readonly perLayer?: PerLayerInputsOptions;
  /** Every layer ends in a product with a stored number (Gemma 4). */
  readonly hasLayerScalars?: boolean;
  /** See `Decoder.placeholderId`. */
  readonly placeholderId?: number;
  /** Names of its parts. Default: Llama's, or Gemma's where outputs are normed. */
  readonly parts?: Partial<typeof PARTS>;
}

const PARTS = {
  embed: "embed_tokens",
  norm: "norm",
  mixerNorm: "input_layernorm",
  blockNorm: "post_attention_layernorm",
  mixerOutputNorm: "post_attention_layernorm",
  blockOutputNorm: "post_feedforward_layernorm",
};
/** Gemma's name of the norm before the block, as its usual one is that of what the mixer gives. */
const OUTPUT_PARTS = { blockNorm: "pre_feedforward_layernorm" };

/** A decoder of such layers: each adds what its mixer makes of the normed rows, then what its block makes of them. */
export function textDecoder(options: TextDecoderOptions, names: TextNames, place: Place): Decoder {
  const { hiddenSize, vocabularySize, layers, kinds, norm } = options;
  const { prefix, head, isTied } = names;
  const parts = { ...PARTS, ...(options.normsOutputs === true && OUTPUT_PARTS), ...options.parts };
  const embed: ParameterSpec = {
    name: `${prefix}.${parts.embed}.weight`,
    shape: [vocabularySize, hiddenSize],
    role: "embedding",
    ...(isTied ? { tiedNames: [`${head}.weight`] } : {}),
  };
  const layerName = (index: number): string => `${prefix}.layers.${index}`;
  const normOf = (index: number, part: string): readonly ParameterSpec[] =>
    normSpecs(`${layerName(index)}.${part}`, hiddenSize, norm);
  const outputNorm = (index: number, part: string): readonly ParameterSpec[] =>
    options.normsOutputs === true ? normOf(index, part) : [];
  const perLayer = options.perLayer && perLayerInputs(options.perLayer, prefix, hiddenSize, layers.length, norm);
  const specs = layers.map(({ mixer, block }, index) => [
    ...normOf(index, parts.mixerNorm),
    ...mixer.specs(layerName(index)),
    ...outputNorm(index, parts.mixerOutputNorm),
    ...(block.normsInput === true ? [] : normOf(index, parts.blockNorm)),
    ...block.specs(layerName(index)),
    ...outputNorm(index, parts.blockOutputNorm),
    ...(perLayer?.layerSpecs(layerName(index)) ?? []),
    ...(options.hasLayerScalars === true ? [layerScalar(layerName(index))] : []),
  ]);
  const last = normSpecs(`${prefix}.${parts.norm}`, hiddenSize, norm);
  const output: readonly ParameterSpec[] = isTied
    ? []
    : [{ name: `${head}.weight`, shape: [vocabularySize, hiddenSize], role: "linear" }];
  const takesFrom = (index: number): number | undefined => layers[index]!.takesFrom;
  const outputWeight = isTied ? embed.name : `${head}.weight`;
  const context: LayerContext = { options, parts, perLayer };
  const around = JSON.stringify([
    norm,
    options.normsOutputs,
    options.residualScale,
    options.perLayer,
    options.hasLayerScalars,
  ]);
  const formulas = layers.map(({ kind, mixer, block }) => `layer ${kind} ${mixer.formula} ${block.formula} ${around}`);
  return {
    parameters: [embed, ...(perLayer?.specs ?? []), ...specs.flat(), ...last, ...output],
    names: decoderNames(place.component),
    segments: decoderSegments(
      place,
      {
        embed: [embed.name],
        ...(perLayer && { beside: namesOf(perLayer.specs) }),
        layers: specs.map(namesOf),
        norm: namesOf(last),
        head: [outputWeight],
      },
      takesFrom,
    ),
    layerCount: layers.length,
    hiddenSize,
    kinds,
    kindOf: (index) => layers[index]!.kind,
    outputWeight,
    ...(isTied ? {} : { outputLayer: head }),
    ...(options.logits && { logits: options.logits }),
    handsOn: (index) => layers[index]!.handsOn ?? 0,
    takesFrom,
    ...(options.placeholderId !== undefined && { placeholderId: options.placeholderId }),
    ...(perLayer && { beside: (ids, embedded, scope) => perLayer.beside(ids, embedded, scope) }),
    embed(ids, scope) {
      const embedded = embedding(scope.parameter(embed.name), ids, [ids.length]);
      return options.embeddingScale === undefined ? embedded : scale(embedded, options.embeddingScale);
    },
    layer(index, given, decoderPass, scope, chosen) {
      const layer = layers[index]!;
      const input: LayerInput =
        perLayer === undefined ? given : { ...given, beside: perLayer.ofLayer(given.beside!, index, chosen) };
      const pass = decoderPass.of(layer.kind);
      const run = (own: LayerInput, using: LayerPass, within: Scope): Value =>
        runLayer(layer, layerName(index), index, own, using, within, chosen, context);
      const { rotary, spans } = pass;
      const isWhole =
        layer.block.readsValues !== true &&
        chosen === undefined &&
        pass.remember === undefined &&
        pass.state === undefined;
      if (scope.stretch === undefined || spans.key === undefined || !isWhole) return run(input, pass, scope);
      const lines = rotary === undefined ? [] : [rotary, ...(rotary.queries ? [rotary.queries] : [])];
      const tables = lines.flatMap(({ cos, sin }) => [scope.constant(cos), scope.constant(sin)]);
      const others = [...(input.handed ? [input.handed] : []), ...(input.beside ? [input.beside] : [])];
      return scope.stretch(
        `${formulas[index]!}#${spans.key}`,
        [input.x, ...others, ...tables],
        namesOf(specs[index]!),
        (inner, ...values) => {
          const [cos, sin, ...queries] = values.slice(values.length - tables.length).map(({ tensor }) => tensor);
          const longer = queries.length > 0 && { queries: { cos: queries[0]!, sin: queries[1]! } };
          const own = {
            x: values[0]!,
            ...(input.handed && { handed: values[1]! }),
            ...(input.beside && { beside: values[others.length]! }),
          };
          return run(
            own,
            rotary === undefined ? pass : { ...pass, rotary: { cos: cos!, sin: sin!, ...longer } },
            inner,
          );
        },
      );
    },
    norm: (x, scope) => normed(x, `${prefix}.${parts.norm}`, norm, scope),
  };
}

interface LayerContext {
  readonly options: TextDecoderOptions;
  readonly parts: typeof PARTS;
  readonly perLayer: PerLayerInputs | undefined;
}

/** What a layer's output is multiplied with: stored, never trained. */
function layerScalar(layer: string): ParameterSpec {
  return { name: `${layer}.layer_scalar`, shape: [1], role: "norm", isBuffer: true };
}

function runLayer(
  { mixer, block }: TextLayer,
  name: string,
  index: number,
  { x, handed, beside }: LayerInput,
  pass: LayerPass,
  scope: Scope,
  chosen: ChosenRows | undefined,
  { options, parts, perLayer }: LayerContext,
): Value {
  const { norm, normsOutputs = false, residualScale } = options;
  const finish = (made: Value, part: string): Value => {
    const own = normsOutputs ? normed(made, `${name}.${part}`, norm, scope) : made;
    return residualScale === undefined ? own : scale(own, residualScale);
  };
  const h = normed(x, `${name}.${parts.mixerNorm}`, norm, scope);
  const given = { x: h, pass, ...(handed && { handed }), ...(chosen && { chosen }) };
  const { mixed, handsOn } = mixer.run(name, index, given, scope);
  release(h);
  const attended = add(chosen === undefined ? x : gatherRows(x, chosen.rows), finish(mixed, parts.mixerOutputNorm));
  const read = block.normsInput === true ? attended : normed(attended, `${name}.${parts.blockNorm}`, norm, scope);
  const inner = block.run(name, read, scope);
  const blocked = add(attended, finish(inner, parts.blockOutputNorm));
  const told = perLayer === undefined ? blocked : perLayer.add(blocked, beside!, name, scope);
  const output = options.hasLayerScalars === true ? mul(told, scope.parameter(`${name}.layer_scalar`)) : told;
  return handsOn === undefined ? output : concat([output, handsOn], 1);
}
