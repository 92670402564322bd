import { readActivation } from "../../blocks/activations.js";
import { attentionMixer } from "../../layers/attention.js";
import { gatedMlp } from "../../layers/gated-mlp.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import { readRope } from "./rope-config.js";
import { readSizes, type DefaultSizes, type TextModel } from "./sizes.js";

/** Defaults: transformers 5.24, `configuration_glm4v.py` and `configuration_glm_ocr.py`. */
const SIZES: Readonly<Record<string, DefaultSizes>> = {
  glm4v_text: {
    hiddenSize: 4096,
    intermediateSize: 13696,
    layerCount: 40,
    headCount: 32,
    keyValueHeadCount: 2,
    vocabularySize: 151552,
    maxPositions: 32768,
  },
  glm_ocr_text: {
    hiddenSize: 1024,
    intermediateSize: 4096,
    layerCount: 16,
    headCount: 16,
    keyValueHeadCount: 8,
    vocabularySize: 59392,
    maxPositions: 131072,
  },
};

/** Pairs of time, row and column where a config does not say them. */
const SECTIONS = [8, 12, 12];

/** Model types that {@link readGlmText} reads. */
export const GLM_TEXT = Object.keys(SIZES);

/**
 * Reads `glm4v_text` and `glm_ocr_text`: four norms per layer, neighbours turned in pairs, gate and up in one matrix.
 * Source: transformers 5.24, `modeling_glm4v.py`, `modeling_glm_ocr.py`. @throws THAW_CHECKPOINT_CONFIG
 */
export function readGlmText(config: ConfigReader, modelType: string): TextModel {
  const sizes = readSizes(config, SIZES[modelType]!);
  const { hiddenSize, headCount, headSize } = sizes;
  const isOcr = modelType === "glm_ocr_text";
  if (!isOcr && headSize * headCount !== hiddenSize)
    config.fail("head_dim", `Heads have ${hiddenSize / headCount} columns.`, "Leave it out.");
  const norm = { epsilon: config.number("rms_norm_eps", 1e-5) };
  const { rotary, size } = readRope(config, headSize, {
    theta: 10000,
    maxPositions: sizes.maxPositions,
    share: 1,
    sections: SECTIONS,
  });
  const mixer = attentionMixer({
    hiddenSize,
    headCount,
    keyValueHeadCount: sizes.keyValueHeadCount,
    headSize,
    hasBias: !isOcr,
    pairs: "neighbours",
    rotarySize: size,
  });
  const block = gatedMlp({
    hiddenSize,
    intermediateSize: sizes.intermediateSize,
    activation: readActivation(config, "hidden_act", "silu"),
    fused: "gate_up_proj",
  });
  return {
    options: {
      hiddenSize,
      vocabularySize: sizes.vocabularySize,
      norm,
      kinds: [{ name: "full_attention", rotary, remembers: 2 }],
      layers: Array.from({ length: sizes.layerCount }, () => ({ kind: "full_attention", mixer, block })),
      normsOutputs: true,
      parts: {
        blockNorm: "post_attention_layernorm",
        mixerOutputNorm: "post_self_attn_layernorm",
        blockOutputNorm: "post_mlp_layernorm",
      },
    },
    maxPositions: sizes.maxPositions,
    isTied: false,
  };
}
