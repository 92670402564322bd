import { shown } from "@thaw/contracts";
import { rotaryFrequencies, type RotaryOptions } from "../../blocks/rope.js";
import { configReader, type ConfigReader } from "../../reading/config-reader.js";

/** What a model type assumes of rotary positions. */
export interface RopeDefaults {
  readonly theta: number;
  /** Positions of the model, on which it was first trained where its rotary options do not say. */
  readonly maxPositions: number;
  /** Share of a head's columns that turns where the config does not say it; absent: heads of this type turn whole. */
  readonly share?: number;
  /** Kind of layer whose options are wanted, where a config has them by kind. */
  readonly layerType?: string;
  /** Reads `rope_theta` of old configs under this name. Default: `rope_theta`. */
  readonly thetaKey?: string;
  /** False if old configs' `rope_scaling` is not for these layers. Default: true. */
  readonly isScaled?: boolean;
  /** Stands for `rope_parameters` where a config has none of its own, nor `rope_scaling`. */
  readonly missing?: Readonly<Record<string, unknown>>;
  /** `mrope_section` where a config has none; what is absent there too is no M-RoPE. Any number of sections then. */
  readonly sections?: readonly number[];
  /** Whether they lie by turns, whatever the config says. Default: as `mrope_interleaved` says. */
  readonly isInterleaved?: boolean;
  /** True if `llama_4_scaling_beta` makes queries longer. Default: false, as of a type that does not read it. */
  readonly hasLongerQueries?: boolean;
}

/** Rotary options and how many columns of a head they turn. */
export interface Rope {
  readonly rotary: RotaryOptions;
  readonly size: number;
}

const TYPES = ["default", "linear", "dynamic", "llama3", "yarn", "mrope", "proportional"] as const;

/**
 * Reads rotary positions: `rope_parameters` (transformers 5, by kind of layer or for all) or `rope_theta` beside
 * `rope_scaling` (before), which takes their place where both are there. Source: transformers 5.24,
 * `modeling_rope_utils.py`. @throws THAW_CHECKPOINT_CONFIG for types that are not supported
 */
export function readRope(config: ConfigReader, headSize: number, defaults: RopeDefaults): Rope {
  const { thetaKey = "rope_theta", layerType, isScaled = true } = defaults;
  const isMissing = !config.has("rope_parameters") && !config.has("rope_scaling");
  const spelled =
    isMissing && defaults.missing !== undefined
      ? configReader(config.file, { rope_parameters: defaults.missing }, config.path)
      : config;
  const whole = spelled.child("rope_parameters");
  const own = layerType !== undefined && whole.has(layerType) ? whole.child(layerType) : whole;
  const scaling = config.child("rope_scaling");
  const rope = isScaled && Object.keys(scaling.raw).length > 0 ? scaling : own;
  const kept = layerType === undefined ? rope : own;
  const type = rope.choice(rope.has("rope_type") ? "rope_type" : "type", TYPES, "default");
  const theta = rope.number("rope_theta", kept.number("rope_theta", config.number(thetaKey, defaults.theta)));
  const share = rope.number("partial_rotary_factor", config.number("partial_rotary_factor", defaults.share ?? 1));
  const isProportional = type === "proportional";
  if (defaults.share === undefined && share !== 1 && !isProportional)
    rope.fail("partial_rotary_factor", "Heads turn as a whole in this type of model.", "Leave it out.");
  const size = isProportional ? headSize : Math.floor(headSize * share);
  if (size % 2 !== 0 || size < 2)
    rope.fail(
      "partial_rotary_factor",
      `${share} of a head of ${headSize} columns are ${size}; rotary positions turn pairs.`,
      "Give a share that leaves an even number of columns.",
    );
  const frequencies = isProportional ? proportional(rope, size, theta, share) : rotaryFrequencies(size, theta);
  const axes = readSections(rope, size / 2, defaults);
  const queries = defaults.hasLongerQueries === true ? readQueries(rope) : undefined;
  if (queries !== undefined && size !== headSize)
    rope.fail("llama_4_scaling_beta", "Longer queries of which a part turns are not supported.", "Turn whole heads.");
  const turned = { rotary: { frequencies, ...(axes && { axes }), ...(queries && { queries }) }, size };
  if (type === "linear")
    return { ...turned, rotary: { ...turned.rotary, frequencies: frequencies.map((each) => each / factorOf(rope)) } };
  const before = firstPositions(config, rope, defaults);
  // Frequencies change with rows longer than max_position_embeddings alone, which no sample is.
  if (type === "dynamic") factorOf(rope);
  if (type === "llama3")
    return { ...turned, rotary: { ...turned.rotary, frequencies: llama3(rope, frequencies, before) } };
  if (type === "yarn") return { ...turned, rotary: { ...turned.rotary, ...yarn(rope, size, theta, before) } };
  return turned;
}

/** A share of the pairs turns, at the speed that it has in a head that turns as a whole; the rest stands still. */
function proportional(rope: ConfigReader, headSize: number, theta: number, share: number): Float32Array {
  const factor = rope.number("factor", 1);
  const turning = Math.floor((share * headSize) / 2);
  return rotaryFrequencies(headSize, theta).map((frequency, pair) => (pair < turning ? frequency / factor : 0));
}

/** How queries grow with their positions. Source: transformers 5.24, `modeling_ministral3.py`. */
function readQueries(rope: ConfigReader): RotaryOptions["queries"] {
  if (!rope.has("llama_4_scaling_beta")) return undefined;
  if (!rope.has("original_max_position_embeddings"))
    rope.fail(
      "original_max_position_embeddings",
      "The positions after which queries grow are missing.",
      "Give how many positions the model was first trained on.",
    );
  return {
    beta: rope.number("llama_4_scaling_beta", 0),
    stretch: rope.number("original_max_position_embeddings", 1),
  };
}

function factorOf(rope: ConfigReader): number {
  if (!rope.has("factor"))
    rope.fail("factor", "The factor is missing.", "Give the factor that positions are spread by.");
  return rope.number("factor", 1);
}

/**
 * Which axis of M-RoPE turns each pair: `mrope_section` pairs of time, row and column one after the other (Qwen2-VL),
 * or by turns (`mrope_interleaved`, Qwen3-VL). More than three sections begin with time again (GLM-4V). Source:
 * transformers 5.24, `modeling_qwen2_vl.py`, `modeling_qwen3_vl.py` and `modeling_glm4v.py`.
 */
function readSections(
  rope: ConfigReader,
  pairs: number,
  { sections: fallback, isInterleaved }: Pick<RopeDefaults, "sections" | "isInterleaved">,
): readonly number[] | undefined {
  const sections = rope.raw["mrope_section"] ?? fallback;
  if (sections === undefined || sections === null) return undefined;
  const byTurns = isInterleaved ?? rope.boolean("mrope_interleaved", false);
  const isList =
    Array.isArray(sections) &&
    (sections.length === 3 || (fallback !== undefined && !byTurns)) &&
    sections.every((count) => Number.isSafeInteger(count));
  const counts = (isList ? sections : []) as number[];
  if (!isList || (!byTurns && counts.reduce((total, count) => total + count, 0) !== pairs))
    return rope.fail(
      "mrope_section",
      `The sections ${shown(sections)} are not three numbers of pairs that make ${pairs}.`,
      "Give the pairs of time, row and column.",
    );
  if (!byTurns) return counts.flatMap((count, section) => Array.from({ length: count }, () => section % 3));
  return Array.from({ length: pairs }, (_, pair) => {
    const axis = pair % 3;
    return axis > 0 && pair < 3 * counts[axis]! ? axis : 0;
  });
}

/** Positions that a model was first trained on: what the config says beside its rotary options goes before them. */
function firstPositions(config: ConfigReader, rope: ConfigReader, { layerType, maxPositions }: RopeDefaults): number {
  const key = "original_max_position_embeddings";
  const own = rope.number(key, maxPositions);
  return layerType === undefined ? config.number(key, own) : own;
}

/** Llama 3.1's: long waves are slowed down, short ones stay, those between are mixed. */
function llama3(rope: ConfigReader, frequencies: Float32Array, before: number): Float32Array {
  const factor = factorOf(rope);
  const [low, high] = [rope.number("low_freq_factor", 1), rope.number("high_freq_factor", 4)];
  return frequencies.map((frequency) => {
    const wave = (2 * Math.PI) / frequency;
    if (wave > before / low) return frequency / factor;
    if (wave < before / high) return frequency;
    const smooth = (before / wave - low) / (high - low);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}

/** YaRN (Peng et al., arXiv:2309.00071): as Llama 3.1's, by a ramp over pairs, and attention made sharper. */
function yarn(rope: ConfigReader, size: number, theta: number, before: number): Omit<RotaryOptions, "axes"> {
  const factor = factorOf(rope);
  const pairAt = (turns: number): number => (size * Math.log(before / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const round = rope.boolean("truncate", true);
  const [fast, slow] = [pairAt(rope.number("beta_fast", 32)), pairAt(rope.number("beta_slow", 1))];
  const first = Math.max(round ? Math.floor(fast) : fast, 0);
  const last = Math.min(round ? Math.ceil(slow) : slow, size - 1);
  const frequencies = Float32Array.from({ length: size / 2 }, (_, pair) => {
    const plain = 1 / theta ** ((2 * pair) / size);
    const ramp = Math.min(1, Math.max(0, (pair - first) / (last === first ? 0.001 : last - first)));
    return (plain / factor) * ramp + plain * (1 - ramp);
  });
  const sharpness = (scale: number): number => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1);
  const [all, own] = [rope.number("mscale_all_dim", 0), rope.number("mscale", 0)];
  const byScale = all !== 0 && own !== 0 ? sharpness(own) / sharpness(all) : sharpness(1);
  return { frequencies, scale: rope.number("attention_factor", byScale) };
}
