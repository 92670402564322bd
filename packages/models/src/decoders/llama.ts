import { rotaryFrequencies } from "../blocks/rope.js";
import { attentionMixer } from "../layers/attention.js";
import { gatedMlp } from "../layers/gated-mlp.js";
import type { Decoder } from "./decoder.js";
import type { Place } from "../contract/parts.js";
import type { LlamaConfig } from "./llama-config.js";
import { textDecoder, type TextNames } from "./text-decoder.js";

const KIND = "full_attention";

/**
 * The decoder of Llama (Touvron et al., arXiv:2302.13971, grouped heads as in arXiv:2307.09288). Source: transformers
 * 5.23, `modeling_llama.py`.
 */
export function llamaDecoder(config: LlamaConfig, names: TextNames, place: Place): Decoder {
  const { hiddenSize, headSize, attentionBias } = config;
  const layer = {
    kind: KIND,
    mixer: attentionMixer({
      hiddenSize,
      headSize,
      headCount: config.headCount,
      keyValueHeadCount: config.keyValueHeadCount,
      hasBias: attentionBias,
      hasOutputBias: attentionBias,
    }),
    block: gatedMlp({
      hiddenSize,
      intermediateSize: config.intermediateSize,
      activation: config.activation,
      hasBias: config.mlpBias,
    }),
  };
  return textDecoder(
    {
      hiddenSize,
      vocabularySize: config.vocabularySize,
      norm: { epsilon: config.epsilon },
      kinds: [{ name: KIND, rotary: { frequencies: rotaryFrequencies(headSize, config.ropeTheta) }, remembers: 2 }],
      layers: Array.from({ length: config.layerCount }, () => layer),
    },
    names,
    place,
  );
}
