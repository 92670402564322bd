import { readActivation } from "../../blocks/activations.js";
import { attentionMixer } from "../../layers/attention.js";
import { gatedMlp } from "../../layers/gated-mlp.js";
import { groupedExperts } from "../../layers/grouped-experts.js";
import type { RowBlock } from "../../layers/parts.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import { readRope } from "./rope-config.js";
import { readSizes, type DefaultSizes, type TextModel, type TextSizes } from "./sizes.js";

/** Defaults: transformers 5.24, `configuration_glm4v_moe.py`. */
const SIZES: DefaultSizes = {
  hiddenSize: 4096,
  intermediateSize: 10944,
  layerCount: 46,
  headCount: 96,
  keyValueHeadCount: 8,
  vocabularySize: 151424,
  maxPositions: 65536,
};
const SECTIONS = [8, 12, 12];

/**
 * Reads `glm4v_moe_text`: as Llama with a share of each head turned and experts in groups behind the first layers.
 * Source: transformers 5.24, `modeling_glm4v_moe.py`. @throws THAW_CHECKPOINT_CONFIG
 */
export function readGlmMoeText(config: ConfigReader): TextModel {
  const sizes = readSizes(config, SIZES);
  const { hiddenSize, headCount, keyValueHeadCount, headSize } = sizes;
  const { rotary, size } = readRope(config, headSize, {
    theta: 10000,
    maxPositions: sizes.maxPositions,
    share: 0.5,
    sections: SECTIONS,
  });
  const mixer = attentionMixer({
    hiddenSize,
    headCount,
    keyValueHeadCount,
    headSize,
    hasBias: config.boolean("attention_bias", true),
    rotarySize: size,
  });
  const activation = readActivation(config, "hidden_act", "silu");
  const plain = gatedMlp({ hiddenSize, intermediateSize: sizes.intermediateSize, activation });
  const routed = readExperts(config, sizes);
  const plainCount = config.number("first_k_dense_replace", 1);
  return {
    options: {
      hiddenSize,
      vocabularySize: sizes.vocabularySize,
      norm: { epsilon: config.number("rms_norm_eps", 1e-5) },
      kinds: [{ name: "full_attention", rotary, remembers: 2 }],
      layers: Array.from({ length: sizes.layerCount }, (_, layer) => ({
        kind: "full_attention",
        mixer,
        block: layer < plainCount ? plain : routed,
      })),
    },
    maxPositions: sizes.maxPositions,
    isTied: false,
  };
}

function readExperts(config: ConfigReader, { hiddenSize }: TextSizes): RowBlock {
  const expertCount = config.size(config.has("n_routed_experts") ? "n_routed_experts" : "num_local_experts", 128);
  const groupCount = config.size("n_group", 1);
  if (expertCount % groupCount !== 0 || expertCount < 2 * groupCount)
    config.fail(
      "n_group",
      `${expertCount} experts do not make ${groupCount} equal groups of two or more.`,
      "Give a number that divides n_routed_experts.",
    );
  const chosenGroupCount = config.size("topk_group", 1);
  if (chosenGroupCount > groupCount)
    config.fail(
      "topk_group",
      `A row cannot ask ${chosenGroupCount} of ${groupCount} groups.`,
      "Give n_group or fewer.",
    );
  const chosenCount = config.size("num_experts_per_tok", 8);
  const most = (chosenGroupCount * expertCount) / groupCount;
  if (chosenCount > most)
    config.fail("num_experts_per_tok", `A row cannot ask ${chosenCount} of ${most} experts.`, `Give ${most} or fewer.`);
  const intermediateSize = config.size("moe_intermediate_size", 1408);
  return groupedExperts({
    hiddenSize,
    expertCount,
    groupCount,
    chosenGroupCount,
    chosenCount,
    intermediateSize,
    sharedSize: intermediateSize * config.size("n_shared_experts", 1),
    activation: readActivation(config, "hidden_act", "silu"),
    isNormalized: config.boolean("norm_topk_prob", true),
    factor: config.number("routed_scaling_factor", 1),
  });
}
