import {
  add,
  embedding,
  gatherRows,
  geglu,
  mul,
  multiHeadAttention,
  release,
  rmsNorm,
  rotaryHeads,
  swiglu,
  type Value,
} from "@thaw/autograd";
import type { Scope } from "@thaw/contracts";
import { activate, type ActivationName } from "../blocks/activations.js";
import type { ChosenRows, Decoder } from "./decoder.js";
import { decoderNames, type DecoderPlace, decoderSegments } from "./decoder-segments.js";
import type { LayerKind, LayerPass } from "./layer-kind.js";
import type { ParameterSpec } from "../contract/family.js";
import type { LlamaConfig } from "./llama-config.js";
import { rotaryFrequencies } from "../blocks/rope.js";
import { linearSpecs, namesOf } from "../blocks/specs.js";

/** How a checkpoint spells a decoder's names. */
export interface LlamaNames {
  /** Prefix of embeddings, layers and norm: `language_model.model`. */
  readonly prefix: string;
  /** The output layer: `language_model.lm_head`. */
  readonly head: string;
  /** True if the output layer is the embedding. */
  readonly isTied: boolean;
}

/**
 * The decoder of Llama (Touvron et al., arXiv:2302.13971, grouped heads as in arXiv:2307.09288). Source: transformers
 * 5.23, `modeling_llama.py`.
 */
export function llamaDecoder(config: LlamaConfig, names: LlamaNames, place: DecoderPlace): Decoder {
  const { prefix, head, isTied } = names;
  const embeddingWeight = `${prefix}.embed_tokens.weight`;
  const headShape = [config.vocabularySize, config.hiddenSize];
  const embed: ParameterSpec = {
    name: embeddingWeight,
    shape: headShape,
    role: "embedding",
    ...(isTied ? { tiedNames: [`${head}.weight`] } : {}),
  };
  const layers = Array.from({ length: config.layerCount }, (_, index) =>
    layerSpecs(config, `${prefix}.layers.${index}`),
  );
  const norm: ParameterSpec = { name: `${prefix}.norm.weight`, shape: [config.hiddenSize], role: "norm" };
  const formula = `llama layer ${JSON.stringify(config)}`;
  const kind: LayerKind = {
    name: "full_attention",
    rotary: { frequencies: rotaryFrequencies(config.headSize, config.ropeTheta) },
    remembers: 2,
  };
  const output: readonly ParameterSpec[] = isTied ? [] : [{ name: `${head}.weight`, shape: headShape, role: "linear" }];
  return {
    parameters: [embed, ...layers.flat(), norm, ...output],
    names: decoderNames(place.component),
    segments: decoderSegments(place, {
      embed: [embed.name],
      layers: layers.map(namesOf),
      norm: [norm.name],
      head: [isTied ? embed.name : `${head}.weight`],
    }),
    layerCount: config.layerCount,
    hiddenSize: config.hiddenSize,
    kinds: [kind],
    kindOf: () => kind.name,
    outputWeight: isTied ? embed.name : `${head}.weight`,
    ...(isTied ? {} : { outputLayer: head }),
    embed: (ids, scope) => embedding(scope.parameter(embeddingWeight), ids, [ids.length]),
    layer(index, { x }, decoderPass, scope, chosen) {
      const name = `${prefix}.layers.${index}`;
      const pass = decoderPass.of(kind.name);
      const { rotary, spans } = pass;
      if (scope.stretch === undefined || spans.key === undefined || chosen !== undefined || pass.remember !== undefined)
        return layer(config, name, index, x, pass, scope, chosen);
      return scope.stretch(
        `${formula}#${spans.key}`,
        [x, scope.constant(rotary!.cos), scope.constant(rotary!.sin)],
        namesOf(layers[index]!),
        (inner, rows, cosines, sines) => {
          const lines = { cos: cosines!.tensor, sin: sines!.tensor };
          return layer(config, name, index, rows!, { ...pass, rotary: lines }, inner, undefined);
        },
      );
    },
    norm: (x, scope) => rmsNorm(x, scope.parameter(norm.name), config.epsilon),
  };
}

function layerSpecs(config: LlamaConfig, name: string): readonly ParameterSpec[] {
  const { hiddenSize, intermediateSize, headSize, attentionBias, mlpBias } = config;
  const queries = config.headCount * headSize;
  const keys = config.keyValueHeadCount * headSize;
  const norm = (part: string): ParameterSpec => ({ name: `${name}.${part}.weight`, shape: [hiddenSize], role: "norm" });
  return [
    norm("input_layernorm"),
    ...linearSpecs(`${name}.self_attn.q_proj`, hiddenSize, queries, attentionBias),
    ...linearSpecs(`${name}.self_attn.k_proj`, hiddenSize, keys, attentionBias),
    ...linearSpecs(`${name}.self_attn.v_proj`, hiddenSize, keys, attentionBias),
    ...linearSpecs(`${name}.self_attn.o_proj`, queries, hiddenSize, attentionBias, "residual"),
    norm("post_attention_layernorm"),
    ...linearSpecs(`${name}.mlp.gate_proj`, hiddenSize, intermediateSize, mlpBias),
    ...linearSpecs(`${name}.mlp.up_proj`, hiddenSize, intermediateSize, mlpBias),
    ...linearSpecs(`${name}.mlp.down_proj`, intermediateSize, hiddenSize, mlpBias, "residual"),
  ];
}

function layer(
  config: LlamaConfig,
  name: string,
  index: number,
  x: Value,
  pass: LayerPass,
  scope: Scope,
  chosen: ChosenRows | undefined,
): Value {
  const h = rmsNorm(x, scope.parameter(`${name}.input_layernorm.weight`), config.epsilon);
  const mixed = attend(config, name, index, h, pass, scope, chosen);
  const attended = add(
    chosen === undefined ? x : gatherRows(x, chosen.rows),
    scope.linear(mixed, `${name}.self_attn.o_proj`),
  );
  const inner = rmsNorm(attended, scope.parameter(`${name}.post_attention_layernorm.weight`), config.epsilon);
  const [opening, up] = [scope.linear(inner, `${name}.mlp.gate_proj`), scope.linear(inner, `${name}.mlp.up_proj`)];
  release(h, mixed, inner);
  const gated = gate(config.activation, opening, up);
  release(opening, up);
  return add(attended, scope.linear(gated, `${name}.mlp.down_proj`));
}

/** `[rows, heads * headSize]`, of all rows or the chosen ones. */
function attend(
  config: LlamaConfig,
  name: string,
  index: number,
  h: Value,
  pass: LayerPass,
  scope: Scope,
  chosen: ChosenRows | undefined,
): Value {
  const { headCount, keyValueHeadCount, headSize } = config;
  const asking = chosen?.pass ?? pass;
  const asked = chosen === undefined ? h : gatherRows(h, chosen.rows);
  const queries = rotaryHeads(
    scope.linear(asked, `${name}.self_attn.q_proj`),
    headCount,
    asking.rotary!.cos,
    asking.rotary!.sin,
  );
  const newKeys = rotaryHeads(
    scope.linear(h, `${name}.self_attn.k_proj`),
    keyValueHeadCount,
    pass.rotary!.cos,
    pass.rotary!.sin,
  );
  const newValues = scope.linear(h, `${name}.self_attn.v_proj`);
  const [keys, values] = pass.remember?.(index, [newKeys, newValues]) ?? [newKeys, newValues];
  const mixed = multiHeadAttention(queries, keys!, values!, {
    headCount,
    keyValueHeadCount,
    scale: headSize ** -0.5,
    spans: asking.spans,
  });
  release(queries, newKeys, newValues);
  return mixed;
}

function gate(activation: ActivationName, gated: Value, up: Value): Value {
  if (activation === "silu" || activation === "swish") return swiglu(gated, up);
  if (activation === "gelu_pytorch_tanh") return geglu(gated, up);
  return mul(activate(activation, gated), up);
}
