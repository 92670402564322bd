import { shown } from "@thaw/contracts";
import { attentionMixer } from "../../layers/attention.js";
import { gatedMlp } from "../../layers/gated-mlp.js";
import { shortConvolution } from "../../layers/short-convolution.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import { readRope } from "./rope-config.js";
import { readLayerTypes, readSizes, type TextModel } from "./sizes.js";

/** Defaults: transformers 5.24, `configuration_lfm2.py`. */
const SIZES = {
  hiddenSize: 2560,
  intermediateSize: 12288,
  layerCount: 32,
  headCount: 32,
  keyValueHeadCount: 8,
  vocabularySize: 65536,
  maxPositions: 128000,
};

/** Reads `lfm2`. Source: transformers 5.24, `modeling_lfm2.py`. @throws THAW_CHECKPOINT_CONFIG */
export function readLfm2(config: ConfigReader): TextModel {
  const sizes = readSizes(config, SIZES);
  const { hiddenSize } = sizes;
  const norm = { epsilon: config.number("norm_eps", 1e-5) };
  const taps = config.size("conv_L_cache", 3);
  const attending = readAttendingLayers(config, sizes.layerCount);
  const types = readLayerTypes(config, sizes.layerCount, ["full_attention", "conv"], (layer) =>
    attending === undefined || attending.includes(layer) ? "full_attention" : "conv",
  );
  const mixers = {
    full_attention: attentionMixer({
      hiddenSize,
      headCount: sizes.headCount,
      keyValueHeadCount: sizes.keyValueHeadCount,
      headSize: sizes.headSize,
      headNorm: norm,
      names: { output: "out_proj", queryNorm: "q_layernorm", keyNorm: "k_layernorm" },
    }),
    conv: shortConvolution({ hiddenSize, taps, hasBias: config.boolean("conv_bias", false) }),
  };
  const block = gatedMlp({
    hiddenSize,
    intermediateSize: blockSize(config, config.size("block_ff_dim", sizes.intermediateSize)),
    activation: "silu",
    names: { whole: "feed_forward", gate: "w1", up: "w3", down: "w2" },
  });
  const { rotary } = readRope(config, sizes.headSize, { theta: 1e6, maxPositions: sizes.maxPositions });
  return {
    options: {
      hiddenSize,
      vocabularySize: sizes.vocabularySize,
      norm,
      kinds: [
        { name: "full_attention", rotary, remembers: 2 },
        { name: "conv", window: taps, remembers: 1 },
      ],
      layers: types.map((kind) => ({ kind, mixer: mixers[kind], block })),
      parts: { norm: "embedding_norm", mixerNorm: "operator_norm", blockNorm: "ffn_norm" },
    },
    maxPositions: sizes.maxPositions,
    isTied: true,
  };
}

/** `full_attn_idxs`, in whose absence all layers attend. */
function readAttendingLayers(config: ConfigReader, layerCount: number): readonly number[] | undefined {
  const given = config.raw["full_attn_idxs"];
  if (given === undefined || given === null) return undefined;
  const isLayer = (value: unknown): boolean =>
    Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < layerCount;
  if (Array.isArray(given) && given.every(isLayer)) return given as number[];
  return config.fail(
    "full_attn_idxs",
    `The value ${shown(given)} is not a list of layers.`,
    `Give numbers from 0 to ${layerCount - 1}.`,
  );
}

/** Two thirds of the size, times a factor, rounded up to a multiple. */
function blockSize(config: ConfigReader, given: number): number {
  if (!config.boolean("block_auto_adjust_ff_dim", true)) return given;
  const size = Math.floor(config.number("block_ffn_dim_multiplier", 1) * Math.floor((2 * given) / 3));
  const multiple = config.size("block_multiple_of", 256);
  return multiple * Math.ceil(size / multiple);
}
