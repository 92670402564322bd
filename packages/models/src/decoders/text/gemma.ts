import { readActivation } from "../../blocks/activations.js";
import { attentionMixer, type AttentionOptions } from "../../layers/attention.js";
import { gatedMlp } from "../../layers/gated-mlp.js";
import type { NormOptions } from "../../layers/norms.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import type { LayerKind } from "../layer-kind.js";
import { readRope } from "./rope-config.js";
import { readLayerTypes, readSizes, type DefaultSizes, type TextModel, type TextSizes } from "./sizes.js";

/** Defaults: transformers 5.24, `configuration_gemma.py`, `configuration_gemma2.py`, `configuration_gemma3.py`. */
const GEMMA: DefaultSizes & { readonly headSize: number } = {
  hiddenSize: 3072,
  intermediateSize: 24576,
  layerCount: 28,
  headCount: 16,
  keyValueHeadCount: 16,
  headSize: 256,
  vocabularySize: 256000,
  maxPositions: 8192,
};
const GEMMA2 = {
  ...GEMMA,
  hiddenSize: 2304,
  intermediateSize: 9216,
  layerCount: 26,
  headCount: 8,
  keyValueHeadCount: 4,
};
const GEMMA3 = { ...GEMMA2, vocabularySize: 262208, maxPositions: 131072 };

/** Reads `gemma`. Source: transformers 5.24, `modeling_gemma.py`. @throws THAW_CHECKPOINT_CONFIG */
export function readGemma(config: ConfigReader): TextModel {
  const sizes = readSizes(config, GEMMA);
  const norm = readNorm(config);
  const rotary = readRope(config, sizes.headSize, { theta: 10000, maxPositions: sizes.maxPositions }).rotary;
  // Published configs say gelu where the tanh form is meant.
  const activation = readActivation(config, "hidden_act", "gelu_pytorch_tanh");
  const mixer = attentionMixer(readAttention(config, sizes));
  const block = gatedMlp({
    hiddenSize: sizes.hiddenSize,
    intermediateSize: sizes.intermediateSize,
    activation: activation === "gelu" ? "gelu_pytorch_tanh" : activation,
  });
  const layer = { kind: "full_attention", mixer, block };
  return {
    options: {
      ...commonOptions(sizes, norm),
      kinds: [{ name: "full_attention", rotary, remembers: 2 }],
      layers: Array.from({ length: sizes.layerCount }, () => layer),
    },
    maxPositions: sizes.maxPositions,
    isTied: true,
  };
}

/** Reads `gemma2`. Source: transformers 5.24, `modeling_gemma2.py`. @throws THAW_CHECKPOINT_CONFIG */
export function readGemma2(config: ConfigReader): TextModel {
  const sizes = readSizes(config, GEMMA2);
  const { rotary } = readRope(config, sizes.headSize, { theta: 10000, maxPositions: sizes.maxPositions });
  return windowed(config, sizes, {
    attention: {},
    pattern: 2,
    caps: { scores: 50, logits: 30 },
    kinds: [
      { name: "full_attention", rotary, remembers: 2 },
      { name: "sliding_attention", window: config.size("sliding_window", 4096), rotary, remembers: 2 },
    ],
  });
}

/** Reads `gemma3_text`. Source: transformers 5.24, `modeling_gemma3.py`. @throws THAW_CHECKPOINT_CONFIG */
export function readGemma3(config: ConfigReader): TextModel {
  const sizes = readSizes(config, GEMMA3);
  const rope = (layerType: string, theta: number, more: object = {}) =>
    readRope(config, sizes.headSize, { theta, maxPositions: sizes.maxPositions, layerType, ...more }).rotary;
  return windowed(config, sizes, {
    attention: { headNorm: readNorm(config) },
    pattern: config.size("sliding_window_pattern", 6),
    caps: {},
    kinds: [
      { name: "full_attention", rotary: rope("full_attention", 1e6), remembers: 2 },
      {
        name: "sliding_attention",
        window: config.size("sliding_window", 4096),
        rotary: rope("sliding_attention", 1e4, { thetaKey: "rope_local_base_freq", isScaled: false }),
        remembers: 2,
      },
    ],
  });
}

/** How Gemma 2 and 3 differ. */
interface Windowed {
  readonly attention: Pick<AttentionOptions, "headNorm">;
  /** Every so many layers one sees all rows, unless the config names the types of layers. */
  readonly pattern: number;
  /** Caps of scores and logits where the config says nothing of them; null in a config is none. */
  readonly caps: { readonly scores?: number; readonly logits?: number };
  readonly kinds: readonly LayerKind[];
}

function windowed(config: ConfigReader, sizes: TextSizes, { attention, pattern, caps, kinds }: Windowed): TextModel {
  const norm = readNorm(config);
  const types = readLayerTypes(config, sizes.layerCount, ["full_attention", "sliding_attention"], (layer) =>
    (layer + 1) % pattern === 0 ? "full_attention" : "sliding_attention",
  );
  const cap = readCap(config, "attn_logit_softcapping", caps.scores);
  const logitsCap = readCap(config, "final_logit_softcapping", caps.logits);
  const mixer = attentionMixer({
    ...readAttention(config, sizes),
    ...attention,
    scale: config.number("query_pre_attn_scalar", 256) ** -0.5,
    ...(cap !== undefined && { cap }),
  });
  const block = gatedMlp({
    hiddenSize: sizes.hiddenSize,
    intermediateSize: sizes.intermediateSize,
    activation: readActivation(config, "hidden_activation", "gelu_pytorch_tanh"),
  });
  return {
    options: {
      ...commonOptions(sizes, norm),
      kinds,
      layers: types.map((kind) => ({ kind, mixer, block })),
      normsOutputs: true,
      ...(logitsCap !== undefined && { logits: { cap: logitsCap } }),
    },
    maxPositions: sizes.maxPositions,
    isTied: true,
  };
}

/**
 * A cap under `key`, `fallback` where the config says nothing of it; null in a config is none.
 * @throws THAW_CHECKPOINT_CONFIG
 */
export function readCap(config: ConfigReader, key: string, fallback: number | undefined): number | undefined {
  if (config.raw[key] === null || (config.raw[key] === undefined && fallback === undefined)) return undefined;
  const cap = config.number(key, fallback!);
  if (cap <= 0) config.fail(key, `A cap of ${cap} is not above 0.`, "Give a number above 0, or null for none.");
  return cap;
}

function readNorm(config: ConfigReader): NormOptions {
  return { epsilon: config.number("rms_norm_eps", 1e-6), unitOffset: true };
}

function readAttention(config: ConfigReader, sizes: TextSizes): AttentionOptions {
  if (config.boolean("use_bidirectional_attention", false))
    config.fail("use_bidirectional_attention", "Text that sees both ways is not supported.", "Set it to false.");
  const isBiased = config.boolean("attention_bias", false);
  return {
    hiddenSize: sizes.hiddenSize,
    headCount: sizes.headCount,
    keyValueHeadCount: sizes.keyValueHeadCount,
    headSize: sizes.headSize,
    hasBias: isBiased,
    hasOutputBias: isBiased,
  };
}

function commonOptions(
  { hiddenSize, vocabularySize }: TextSizes,
  norm: NormOptions,
): Pick<TextModel["options"], "hiddenSize" | "vocabularySize" | "norm" | "embeddingScale"> {
  return { hiddenSize, vocabularySize, norm, embeddingScale: Math.fround(Math.sqrt(hiddenSize)) };
}
