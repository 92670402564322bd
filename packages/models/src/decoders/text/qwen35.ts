import { readActivation } from "../../blocks/activations.js";
import { attentionMixer } from "../../layers/attention.js";
import { experts } from "../../layers/experts.js";
import { gatedDeltaNet } from "../../layers/gated-delta-net.js";
import { gatedMlp } from "../../layers/gated-mlp.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import { readRope } from "./rope-config.js";
import { readLayerTypes, readSizes, type TextModel } from "./sizes.js";

/** Defaults: transformers 5.24, `configuration_qwen3_5.py`, `Qwen3_5TextConfig`. */
const SIZES = {
  hiddenSize: 4096,
  intermediateSize: 12288,
  layerCount: 32,
  headCount: 16,
  keyValueHeadCount: 4,
  headSize: 256,
  vocabularySize: 248320,
  maxPositions: 32768,
};

/** Defaults: `configuration_qwen3_5_moe.py`, `Qwen3_5MoeTextConfig`. */
const MOE_SIZES = { ...SIZES, hiddenSize: 2048, layerCount: 40, keyValueHeadCount: 2 };

/** Types of this kind: with one MLP, or a router with experts. */
export const QWEN35_TYPES = ["qwen3_5_text", "qwen3_5_moe_text"] as const;

/**
 * Reads `qwen3_5_text` and `qwen3_5_moe_text`. Source: transformers 5.24, `modeling_qwen3_5.py`,
 * `modeling_qwen3_5_moe.py`. @throws THAW_CHECKPOINT_CONFIG
 */
export function readQwen35(config: ConfigReader, modelType: string): TextModel {
  const hasExperts = modelType === "qwen3_5_moe_text";
  const sizes = readSizes(config, hasExperts ? MOE_SIZES : SIZES);
  const { hiddenSize } = sizes;
  const epsilon = config.number("rms_norm_eps", 1e-6);
  const norm = { epsilon, unitOffset: true };
  const isBiased = config.boolean("attention_bias", false);
  const interval = config.size("full_attention_interval", 4);
  const types = readLayerTypes(config, sizes.layerCount, ["full_attention", "linear_attention"], (layer) =>
    (layer + 1) % interval === 0 ? "full_attention" : "linear_attention",
  );
  const { rotary, size } = readRope(config, sizes.headSize, {
    theta: 10000,
    maxPositions: sizes.maxPositions,
    share: 0.25,
    sections: [11, 11, 10],
    isInterleaved: true,
  });
  const taps = config.size("linear_conv_kernel_dim", 4);
  const keyHeadCount = config.size("linear_num_key_heads", 16);
  const valueHeadCount = config.size("linear_num_value_heads", 32);
  if (valueHeadCount % keyHeadCount !== 0)
    config.fail(
      "linear_num_value_heads",
      `${valueHeadCount} value heads are not a multiple of ${keyHeadCount} key heads.`,
      "Give a multiple.",
    );
  const activation = readActivation(config, "hidden_act", "silu");
  if (activation !== "silu" && activation !== "swish")
    config.fail("hidden_act", `${activation} is not supported with linear attention.`, "Supported: silu.");
  const mixers = {
    full_attention: attentionMixer({
      hiddenSize,
      headCount: sizes.headCount,
      keyValueHeadCount: sizes.keyValueHeadCount,
      headSize: sizes.headSize,
      hasBias: isBiased,
      hasOutputBias: isBiased,
      headNorm: norm,
      isGated: true,
      ...(size !== sizes.headSize && { rotarySize: size }),
    }),
    linear_attention: gatedDeltaNet({
      hiddenSize,
      keyHeadCount,
      valueHeadCount,
      keyHeadSize: config.size("linear_key_head_dim", 128),
      valueHeadSize: config.size("linear_value_head_dim", 128),
      taps,
      epsilon,
    }),
  };
  const block = hasExperts
    ? experts({
        hiddenSize,
        expertCount: config.size("num_experts", 256),
        chosenCount: config.size("num_experts_per_tok", 8),
        intermediateSize: config.size("moe_intermediate_size", 512),
        activation,
        isNormalized: true,
        sharedSize: config.size("shared_expert_intermediate_size", 512),
      })
    : gatedMlp({ hiddenSize, intermediateSize: sizes.intermediateSize, activation });
  return {
    options: {
      hiddenSize,
      vocabularySize: sizes.vocabularySize,
      norm,
      kinds: [
        { name: "full_attention", rotary, remembers: 2 },
        { name: "linear_attention", window: taps, remembers: 1, isRecurrent: true },
      ],
      layers: types.map((kind) => ({ kind, mixer: mixers[kind], block })),
    },
    maxPositions: sizes.maxPositions,
    isTied: false,
  };
}
