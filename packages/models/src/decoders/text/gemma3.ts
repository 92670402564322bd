import { readActivation } from "../../blocks/activations.js";
import { attentionMixer } from "../../layers/attention.js";
import { gatedMlp } from "../../layers/gated-mlp.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import { readRope } from "./rope-config.js";
import { readLayerTypes, readSizes, type TextModel } from "./sizes.js";

/** Defaults: transformers 5.24, `configuration_gemma3.py`, `Gemma3TextConfig`. */
const SIZES = {
  hiddenSize: 2304,
  intermediateSize: 9216,
  layerCount: 26,
  headCount: 8,
  keyValueHeadCount: 4,
  headSize: 256,
  vocabularySize: 262208,
  maxPositions: 131072,
};

/** Reads `gemma3_text`. Source: transformers 5.24, `modeling_gemma3.py`. @throws THAW_CHECKPOINT_CONFIG */
export function readGemma3(config: ConfigReader): TextModel {
  const sizes = readSizes(config, SIZES);
  const norm = { epsilon: config.number("rms_norm_eps", 1e-6), unitOffset: true };
  for (const key of ["attn_logit_softcapping"])
    if (config.has(key)) config.fail(key, "Caps on attention scores are not supported.", "Leave the key out.");
  if (config.boolean("use_bidirectional_attention", false))
    config.fail("use_bidirectional_attention", "Text that sees both ways is not supported.", "Set it to false.");
  const isBiased = config.boolean("attention_bias", false);
  const pattern = config.size("sliding_window_pattern", 6);
  const types = readLayerTypes(config, sizes.layerCount, ["full_attention", "sliding_attention"], (layer) =>
    (layer + 1) % pattern === 0 ? "full_attention" : "sliding_attention",
  );
  const rope = (layerType: string, theta: number, more: object = {}) =>
    readRope(config, sizes.headSize, { theta, layerType, ...more }).rotary;
  const mixer = attentionMixer({
    hiddenSize: sizes.hiddenSize,
    headCount: sizes.headCount,
    keyValueHeadCount: sizes.keyValueHeadCount,
    headSize: sizes.headSize,
    scale: config.number("query_pre_attn_scalar", 256) ** -0.5,
    hasBias: isBiased,
    hasOutputBias: isBiased,
    headNorm: norm,
  });
  const block = gatedMlp({
    hiddenSize: sizes.hiddenSize,
    intermediateSize: sizes.intermediateSize,
    activation: readActivation(config, "hidden_activation", "gelu_pytorch_tanh"),
  });
  return {
    options: {
      hiddenSize: sizes.hiddenSize,
      vocabularySize: sizes.vocabularySize,
      norm,
      kinds: [
        { name: "full_attention", rotary: rope("full_attention", 1e6), remembers: 2 },
        {
          name: "sliding_attention",
          window: config.size("sliding_window", 4096),
          rotary: rope("sliding_attention", 1e4, { thetaKey: "rope_local_base_freq", isScaled: false }),
          remembers: 2,
        },
      ],
      layers: types.map((kind) => ({ kind, mixer, block })),
      normsOutputs: true,
      embeddingScale: Math.fround(Math.sqrt(sizes.hiddenSize)),
      ...(config.has("final_logit_softcapping") && { logits: { cap: config.number("final_logit_softcapping", 1) } }),
    },
    maxPositions: sizes.maxPositions,
    isTied: true,
  };
}
