import { shown } from "@thaw/contracts";
import { readActivation, type ActivationName } from "../../blocks/activations.js";
import type { ConfigReader } from "../../reading/config-reader.js";

/** Sizes of Gemma 4's tower for sound. */
export interface Gemma4AudioConfig {
  readonly hiddenSize: number;
  readonly layerCount: number;
  readonly headCount: number;
  readonly activation: ActivationName;
  /** Mel values of a frame, and channels behind the first convolution. */
  readonly melCount: number;
  /** Channels behind the second convolution. */
  readonly channelCount: number;
  /** Rows that the convolution of a layer sees, itself included. */
  readonly taps: number;
  /** Factor on what the feed-forward parts add. */
  readonly residualWeight: number;
  /** Rows before and behind itself that a row sees, itself not included. */
  readonly past: number;
  readonly future: number;
  /** Distance whose position the row nearest to a row has that is `past` before it; positions count down from it. */
  readonly firstPosition: number;
  readonly cap: number;
  /** Score of rows that are not seen. */
  readonly unseenScore: number;
  /** Bounds of hidden states before and behind parts. */
  readonly bound: number;
  readonly isClipped: boolean;
  readonly epsilon: number;
  readonly outputSize: number;
}

/**
 * Reads `audio_config`. Defaults: transformers 5.24, `configuration_gemma4.py`, `Gemma4AudioConfig`. @throws
 * THAW_CHECKPOINT_CONFIG
 */
export function readGemma4AudioConfig(config: ConfigReader): Gemma4AudioConfig {
  config.choice("model_type", ["gemma4_audio"], "gemma4_audio");
  const hiddenSize = config.size("hidden_size", 1024);
  const headCount = config.size("num_attention_heads", 8);
  if (hiddenSize % headCount !== 0 || hiddenSize % 2 !== 0)
    config.fail(
      "num_attention_heads",
      `${headCount} heads do not divide ${hiddenSize} columns, of which there is an even number.`,
      "Give a number of heads that divides an even hidden_size.",
    );
  const [melCount, channelCount] = readChannels(config);
  const chunk = config.size("attention_chunk_size", 12);
  const left = config.size("attention_context_left", 13);
  const right = config.number("attention_context_right", 0);
  if (left < 2 || !Number.isSafeInteger(right) || right < 0)
    config.fail(
      left < 2 ? "attention_context_left" : "attention_context_right",
      "Rows see nothing of that size.",
      "Give attention_context_left of 2 or more, attention_context_right of 0 or more.",
    );
  return {
    hiddenSize,
    headCount,
    melCount,
    channelCount,
    layerCount: config.size("num_hidden_layers", 12),
    activation: readActivation(config, "hidden_act", "silu"),
    taps: config.size("conv_kernel_size", 5),
    residualWeight: config.number("residual_weight", 0.5),
    past: left - 2,
    future: Math.max(0, right - 1),
    firstPosition: Math.floor((chunk + left - 1 + right) / 2),
    cap: config.number("attention_logit_cap", 50),
    unseenScore: config.number("attention_invalid_logits_value", -1e9),
    bound: config.number("gradient_clipping", 1e10),
    isClipped: config.boolean("use_clipped_linears", true),
    epsilon: config.number("rms_norm_eps", 1e-6),
    outputSize: config.size("output_proj_dims", 1536),
  };
}

function readChannels(config: ConfigReader): readonly [first: number, second: number] {
  const given = config.raw["subsampling_conv_channels"] ?? [128, 32];
  const isPair = Array.isArray(given) && given.length === 2 && given.every((size) => Number.isSafeInteger(size));
  const [first, second] = (isPair ? given : []) as readonly number[];
  if (first === undefined || second === undefined || first < 4 || first % 4 !== 0 || second < 1)
    return config.fail(
      "subsampling_conv_channels",
      `The value ${shown(given)} is not two numbers of channels, of which the first is a multiple of 4.`,
      "Give the channels behind each of the two convolutions.",
    );
  return [first, second];
}
