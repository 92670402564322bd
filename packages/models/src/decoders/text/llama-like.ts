import { shown } from "@thaw/contracts";
import { readActivation } from "../../blocks/activations.js";
import { attentionMixer } from "../../layers/attention.js";
import { experts, type ExpertsOptions } from "../../layers/experts.js";
import { gatedMlp } from "../../layers/gated-mlp.js";
import type { RowBlock } from "../../layers/parts.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import type { LayerKind } from "../layer-kind.js";
import { readRope, type RopeDefaults } from "./rope-config.js";
import { readLayerTypes, readSizes, type DefaultSizes, type TextModel, type TextSizes } from "./sizes.js";

/** How a model type differs from Llama. */
interface Differences {
  readonly sizes?: Partial<DefaultSizes>;
  /** Biases on queries, keys and values, whatever the config says, and none on the output. */
  readonly hasQueryBias?: boolean;
  /** Norms on heads. */
  readonly hasHeadNorm?: boolean;
  /** Of which layers a window is asked for. */
  readonly windows?: "all" | "given" | "asked" | "askedOfAll" | "none";
  /** What norms add, where the config does not say. Default: 1e-6. */
  readonly epsilon?: number;
  /** A router with experts, and whether their weights add up to 1; absent: the config says it. */
  readonly experts?: Pick<ExpertsOptions, "expertCount" | "chosenCount" | "intermediateSize"> & {
    readonly isNormalized?: boolean;
  };
  /** The option that puts biases on all linear layers. Default: `attention_bias` and `mlp_bias` do on theirs. */
  readonly biasKey?: string;
  /** Rotary positions where the config says nothing of them. */
  readonly rope?: Readonly<Record<string, unknown>>;
  /** What it assumes of rotary positions besides. */
  readonly turning?: Partial<Pick<RopeDefaults, "theta" | "sections" | "isInterleaved">>;
  /** Layers before the first one that has a window, where the config does not say. Default: 28. */
  readonly windowLayers?: number;
}

/** Defaults: transformers 5.24, `configuration_<type>.py`. */
const LLAMA: DefaultSizes = {
  hiddenSize: 4096,
  intermediateSize: 11008,
  layerCount: 32,
  headCount: 32,
  vocabularySize: 32000,
  maxPositions: 2048,
};
const QWEN = { intermediateSize: 22016, keyValueHeadCount: 32, vocabularySize: 151936, maxPositions: 32768 };
const QWEN2_VL: Differences = {
  sizes: {
    hiddenSize: 8192,
    intermediateSize: 29568,
    layerCount: 80,
    headCount: 64,
    keyValueHeadCount: 8,
    vocabularySize: 152064,
    maxPositions: 32768,
  },
  hasQueryBias: true,
  windows: "asked",
  windowLayers: 80,
  epsilon: 1e-5,
  turning: { theta: 1e6, sections: [16, 24, 24], isInterleaved: false },
};
const TYPES: Readonly<Record<string, Differences>> = {
  llama: {},
  mistral: { sizes: { intermediateSize: 14336, keyValueHeadCount: 8, maxPositions: 131072 }, windows: "all" },
  ministral3: {
    sizes: {
      intermediateSize: 14336,
      layerCount: 34,
      keyValueHeadCount: 8,
      headSize: 128,
      vocabularySize: 131072,
      maxPositions: 262144,
    },
    epsilon: 1e-5,
    windows: "given",
    rope: {
      rope_type: "yarn",
      rope_theta: 1e6,
      factor: 16,
      original_max_position_embeddings: 16384,
      mscale_all_dim: 1,
      mscale: 1,
      llama_4_scaling_beta: 0.1,
    },
  },
  paddleocr_vl_text: {
    sizes: {
      hiddenSize: 1024,
      intermediateSize: 3072,
      layerCount: 18,
      headCount: 16,
      keyValueHeadCount: 2,
      headSize: 128,
      vocabularySize: 103424,
      maxPositions: 131072,
    },
    epsilon: 1e-5,
    turning: { theta: 500000, sections: [16, 24, 24] },
    biasKey: "use_bias",
  },
  qwen2: { sizes: QWEN, hasQueryBias: true, windows: "asked" },
  qwen2_vl_text: QWEN2_VL,
  qwen2_5_vl_text: QWEN2_VL,
  qwen3_vl_text: {
    sizes: { ...QWEN, layerCount: 32, headSize: 128, maxPositions: 128000 },
    hasHeadNorm: true,
    turning: { theta: 5e5, sections: [24, 20, 20], isInterleaved: true },
  },
  qwen3_vl_moe_text: {
    sizes: {
      hiddenSize: 2048,
      intermediateSize: 5632,
      layerCount: 24,
      headCount: 16,
      keyValueHeadCount: 16,
      vocabularySize: 151936,
      maxPositions: 128000,
    },
    hasHeadNorm: true,
    turning: { theta: 5e5, sections: [24, 20, 20], isInterleaved: true },
    experts: { expertCount: 60, chosenCount: 4, intermediateSize: 1408, isNormalized: true },
  },
  qwen3: { sizes: { ...QWEN, headSize: 128 }, hasHeadNorm: true, windows: "asked" },
  qwen3_moe: {
    sizes: { ...QWEN, hiddenSize: 2048, intermediateSize: 6144, layerCount: 24, keyValueHeadCount: 4 },
    hasHeadNorm: true,
    windows: "askedOfAll",
    experts: { expertCount: 128, chosenCount: 8, intermediateSize: 768 },
  },
};

/** Model types that are Llama with other options. */
export const LLAMA_LIKE = Object.keys(TYPES);

/** Reads a config of these types. @throws THAW_CHECKPOINT_CONFIG */
export function readLlamaLike(config: ConfigReader, modelType: string): TextModel {
  const own = TYPES[modelType]!;
  const sizes = readSizes(config, { ...LLAMA, ...own.sizes });
  const epsilon = config.number("rms_norm_eps", own.epsilon ?? 1e-6);
  const isBiased = config.boolean(own.biasKey ?? "attention_bias", false);
  const { rotary } = readRope(config, sizes.headSize, {
    theta: 10000,
    maxPositions: sizes.maxPositions,
    ...own.turning,
    ...(own.rope && { missing: own.rope }),
    hasLongerQueries: modelType === "ministral3",
  });
  const mixer = attentionMixer({
    hiddenSize: sizes.hiddenSize,
    headCount: sizes.headCount,
    keyValueHeadCount: sizes.keyValueHeadCount,
    headSize: sizes.headSize,
    hasBias: own.hasQueryBias === true || isBiased,
    hasOutputBias: own.hasQueryBias !== true && isBiased,
    ...(own.hasHeadNorm === true && { headNorm: { epsilon } }),
  });
  const window = windowOf(config, own);
  const usual = (layer: number) =>
    window !== undefined && layer >= window.from ? "sliding_attention" : "full_attention";
  const types = readLayerTypes(config, sizes.layerCount, ["full_attention", "sliding_attention"], usual);
  const kinds: readonly LayerKind[] = [
    { name: "full_attention", rotary, remembers: 2 },
    ...(window === undefined ? [] : [{ name: "sliding_attention", window: window.size, rotary, remembers: 2 }]),
  ];
  if (window === undefined && types.includes("sliding_attention"))
    config.fail("layer_types", "Sliding layers have no window.", "Give sliding_window, and use_sliding_window: true.");
  // transformers 5.24 does not look at layer_types there.
  if (own.windows !== "asked" && types.some((type, layer) => type !== usual(layer)))
    config.fail(
      "layer_types",
      `All layers of this type of model are of type ${usual(0)} where its window is ${shown(window?.size ?? null)}.`,
      "Leave it out.",
    );
  const block = blockOf(config, sizes, own);
  return {
    options: {
      hiddenSize: sizes.hiddenSize,
      vocabularySize: sizes.vocabularySize,
      norm: { epsilon },
      kinds,
      layers: types.map((kind, layer) => ({ kind, mixer, block: block(layer) })),
    },
    maxPositions: sizes.maxPositions,
    isTied: false,
  };
}

/** The window, and the first layer that has it. */
function windowOf(
  config: ConfigReader,
  { windows = "none", windowLayers = 28 }: Differences,
): { readonly size: number; readonly from: number } | undefined {
  const isAsked = windows === "asked" || windows === "askedOfAll";
  if (windows === "none" || (isAsked && !config.boolean("use_sliding_window", false))) return undefined;
  if (config.raw["sliding_window"] === null || (windows === "given" && !config.has("sliding_window"))) return undefined;
  const size = config.size("sliding_window", 4096);
  return { size, from: windows !== "asked" ? 0 : config.number("max_window_layers", windowLayers) };
}

function blockOf(
  config: ConfigReader,
  sizes: TextSizes,
  { experts: own, biasKey = "mlp_bias" }: Differences,
): (layer: number) => RowBlock {
  const { hiddenSize, intermediateSize } = sizes;
  const activation = readActivation(config, "hidden_act", "silu");
  const plain = gatedMlp({ hiddenSize, intermediateSize, activation, hasBias: config.boolean(biasKey, false) });
  if (own === undefined) return () => plain;
  const routed = experts({
    hiddenSize,
    // transformers 5 writes num_local_experts, published configs num_experts.
    expertCount: config.size("num_local_experts", config.size("num_experts", own.expertCount)),
    chosenCount: config.size("num_experts_per_tok", own.chosenCount),
    intermediateSize: config.size("moe_intermediate_size", own.intermediateSize),
    activation,
    isNormalized: own.isNormalized ?? config.boolean("norm_topk_prob", false),
  });
  const every = config.size("decoder_sparse_step", 1);
  const without = Array.isArray(config.raw["mlp_only_layers"]) ? (config.raw["mlp_only_layers"] as unknown[]) : [];
  return (layer) => (without.includes(layer) || (layer + 1) % every !== 0 ? plain : routed);
}
