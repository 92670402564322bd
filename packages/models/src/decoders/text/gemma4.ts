import { readActivation } from "../../blocks/activations.js";
import { attentionMixer } from "../../layers/attention.js";
import { gatedMlp } from "../../layers/gated-mlp.js";
import { gemma4Experts, type Gemma4ExpertsOptions } from "../../layers/gemma4-experts.js";
import type { NormOptions } from "../../layers/norms.js";
import type { RowBlock } from "../../layers/parts.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import type { LayerKind } from "../layer-kind.js";
import { readCap } from "./gemma.js";
import { readLayerSizes, type LayerSizes } from "./gemma4-layers.js";
import { readRope } from "./rope-config.js";
import { readLayerTypes, readSizes, type TextModel } from "./sizes.js";

/** Defaults: transformers 5.24, `configuration_gemma4.py` and `configuration_gemma4_unified.py`. */
const SIZES = {
  hiddenSize: 2304,
  intermediateSize: 9216,
  layerCount: 30,
  headCount: 8,
  keyValueHeadCount: 4,
  headSize: 256,
  vocabularySize: 262144,
};
const ROPES = {
  sliding_attention: { rope_type: "default", rope_theta: 10000 },
  full_attention: { rope_type: "proportional", partial_rotary_factor: 0.25, rope_theta: 1e6 },
};
const KINDS = ["sliding_attention", "full_attention"] as const;
type Kind = (typeof KINDS)[number];

/** What differs between the two types of text models. */
interface Gemma4Defaults {
  readonly maxPositions: number;
  readonly window: number;
  readonly sight: "vision" | undefined;
  /** How layers of each kind see pictures, where these are seen both ways. */
  readonly bothWays: Readonly<Record<Kind, LayerKind["bothWays"]>>;
  readonly hasPerLayerInputs: boolean;
}

/** Reads `gemma4_text`. Source: transformers 5.24, `modeling_gemma4.py`. @throws THAW_CHECKPOINT_CONFIG */
export function readGemma4(config: ConfigReader): TextModel {
  return read(config, {
    maxPositions: 131072,
    window: 512,
    sight: undefined,
    bothWays: { full_attention: "ignored", sliding_attention: "cut" },
    hasPerLayerInputs: true,
  });
}

/**
 * Reads `gemma4_unified_text`. Source: transformers 5.24, `modeling_gemma4_unified.py`. @throws THAW_CHECKPOINT_CONFIG
 */
export function readGemma4Unified(config: ConfigReader): TextModel {
  return read(config, {
    maxPositions: 262144,
    window: 1024,
    sight: "vision",
    bothWays: { full_attention: "whole", sliding_attention: "whole" },
    hasPerLayerInputs: false,
  });
}

function read(config: ConfigReader, defaults: Gemma4Defaults): TextModel {
  const sizes = readSizes(config, { ...SIZES, maxPositions: defaults.maxPositions });
  const { hiddenSize, layerCount } = sizes;
  const given = readLayerTypes(config, layerCount, KINDS, (layer) => KINDS[(layer + 1) % 6 === 0 ? 1 : 0]!);
  // The last layer sees all, whatever the config says of it.
  const types = given.map((type, layer): Kind => (layer === layerCount - 1 ? "full_attention" : type));
  const layerSizes = readLayerSizes(config, sizes, types);
  const sources = readSources(config, types);
  const sight = readSight(config, defaults.sight);
  const epsilon = config.number("rms_norm_eps", 1e-6);
  const activation = readActivation(config, "hidden_activation", "gelu_pytorch_tanh");
  const isBiased = config.boolean("attention_bias", false);
  const areKeysValues = config.boolean("attention_k_eq_v", false);
  const isWide = config.boolean("use_double_wide_mlp", false);
  const cap = readCap(config, "final_logit_softcapping", undefined);
  const blockOf = readBlock(config, { epsilon });
  const layers = types.map((kind, layer) => {
    const { headSize, keyValueHeadCount } = layerSizes[layer]!;
    const from = sources[layer];
    const handsOn = sources.includes(layer);
    return {
      kind,
      mixer: attentionMixer({
        hiddenSize,
        headCount: sizes.headCount,
        keyValueHeadCount,
        headSize,
        scale: 1,
        hasBias: isBiased,
        hasOutputBias: isBiased,
        headNorm: { epsilon },
        valueNorm: { epsilon, hasWeight: false },
        ...(areKeysValues && kind === "full_attention" && { valuesAreKeys: true }),
        ...(from !== undefined && { keysFrom: from }),
        ...(handsOn && { handsOn }),
      }),
      block: blockOf({
        hiddenSize,
        intermediateSize: sizes.intermediateSize * (isWide && from !== undefined ? 2 : 1),
        activation,
      }),
      ...(from !== undefined && { takesFrom: from }),
      ...(handsOn && { handsOn: 2 * keyValueHeadCount * headSize }),
    };
  });
  const perLayerSize = defaults.hasPerLayerInputs ? readPerLayerSize(config) : 0;
  return {
    options: {
      hiddenSize,
      vocabularySize: sizes.vocabularySize,
      norm: { epsilon },
      kinds: KINDS.filter((kind) => types.includes(kind)).map((kind) =>
        readKind(config, kind, layerSizes[types.indexOf(kind)]!, sizes.maxPositions, defaults, sight),
      ),
      layers,
      normsOutputs: true,
      embeddingScale: Math.fround(Math.sqrt(hiddenSize)),
      hasLayerScalars: true,
      placeholderId: config.number("pad_token_id", 0),
      ...(cap !== undefined && { logits: { cap } }),
      ...(perLayerSize > 0 && {
        perLayer: {
          size: perLayerSize,
          vocabularySize: config.size("vocab_size_per_layer_input", 262144),
          activation,
          paddingId: config.number("pad_token_id", 0),
        },
      }),
    },
    maxPositions: sizes.maxPositions,
    isTied: true,
  };
}

/** What treats every row by itself: an MLP, or one with experts beside it. */
function readBlock(config: ConfigReader, norm: NormOptions): (mlp: Gemma4ExpertsOptions["mlp"]) => RowBlock {
  if (!config.boolean("enable_moe_block", false)) return gatedMlp;
  const given = (key: string): number =>
    config.has(key) ? config.size(key, 1) : config.fail(key, "Experts need this size.", "Give a positive integer.");
  const expertCount = given("num_experts");
  const chosenCount = given("top_k_experts");
  if (chosenCount > expertCount)
    config.fail(
      "top_k_experts",
      `A row cannot ask ${chosenCount} of ${expertCount} experts.`,
      "Give a smaller number.",
    );
  const intermediateSize = given("moe_intermediate_size");
  return (mlp) => gemma4Experts({ mlp, expertCount, chosenCount, intermediateSize, norm });
}

function readKind(
  config: ConfigReader,
  kind: Kind,
  { headSize }: LayerSizes,
  maxPositions: number,
  { window, bothWays }: Gemma4Defaults,
  sight: "vision" | undefined,
): LayerKind {
  const { rotary } = readRope(config, headSize, { theta: 10000, maxPositions, layerType: kind, missing: ROPES });
  const isSliding = kind === "sliding_attention";
  return {
    name: kind,
    rotary,
    remembers: 2,
    ...(isSliding && { window: config.size("sliding_window", window) }),
    bothWays: sight === "vision" ? bothWays[kind] : "ignored",
  };
}

/** By layer, the one whose keys and values it takes: of the last ones, the last own of their kind. */
function readSources(config: ConfigReader, types: readonly Kind[]): readonly (number | undefined)[] {
  const shared = config.number("num_kv_shared_layers", 0);
  const first = types.length - shared;
  const sources = types.map((kind, layer) => (layer < first ? undefined : types.lastIndexOf(kind, first - 1)));
  if (!Number.isSafeInteger(shared) || shared < 0 || first < 1 || sources.includes(-1))
    config.fail(
      "num_kv_shared_layers",
      `Of ${types.length} layers, ${shared} cannot take keys and values of layers of their kind before them.`,
      "Give a number that leaves a layer of each kind.",
    );
  return sources;
}

function readSight(config: ConfigReader, fallback: "vision" | undefined): "vision" | undefined {
  const given = config.raw["use_bidirectional_attention"];
  if (given === undefined) return fallback;
  if (given === null) return undefined;
  return config.choice("use_bidirectional_attention", ["vision"] as const, "vision");
}

/** Columns of per-layer inputs; 0 if there are none. */
function readPerLayerSize(config: ConfigReader): number {
  const given = config.raw["hidden_size_per_layer_input"];
  return given === null || given === 0 ? 0 : config.size("hidden_size_per_layer_input", 256);
}
