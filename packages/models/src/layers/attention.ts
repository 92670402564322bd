import {
  concat,
  gatherRows,
  mul,
  multiHeadAttention,
  release,
  reshape,
  rotaryHeads,
  sigmoid,
  slice,
  transpose,
  type Value,
} from "@thaw/autograd";
import type { RotaryLines } from "../decoders/layer-kind.js";
import { normedHeads, normSpecs, type NormOptions } from "./norms.js";
import type { Mixer, MixerInput } from "./parts.js";
import { projectionOf, type ProjectionKind } from "./projection.js";

/** Attention with grouped heads, as decoders have it. */
export interface AttentionOptions {
  readonly hiddenSize: number;
  readonly headCount: number;
  readonly keyValueHeadCount: number;
  readonly headSize: number;
  /** Factor on scores. Default: `1 / sqrt(headSize)`. */
  readonly scale?: number;
  /** Scores become `cap * tanh(scores / cap)` (Gemma2). Absent: they stay. */
  readonly cap?: number;
  /** Biases on queries, keys and values. */
  readonly hasBias?: boolean;
  /** A bias on the output. */
  readonly hasOutputBias?: boolean;
  /** Norms on each head of queries and keys before they are turned (Qwen3, Gemma3). */
  readonly headNorm?: NormOptions;
  /** A norm without weight on each head of values (Gemma 4). */
  readonly valueNorm?: NormOptions & { readonly hasWeight: false };
  /** Values are what the key projection makes, before its norm (Gemma 4): there is no value projection. */
  readonly valuesAreKeys?: boolean;
  /** Default: `plain`. */
  readonly projections?: ProjectionKind;
  /** The query projection makes a gate too, head by head; its sigmoid is multiplied with what was mixed (Qwen3.5). */
  readonly isGated?: boolean;
  /**
   * How pairs of columns are turned: one from each half of the columns that turn (default), neighbours (GLM), or one
   * from each quarter of the same half, of which the first follows the first frequencies (Gemma 4's tower).
   */
  readonly pairs?: "halves" | "neighbours" | "quarters";
  /** Columns of a head that turn, the first ones. Default: all. */
  readonly rotarySize?: number;
  /** The layer whose keys and values it takes (Gemma3n, Gemma4); it has none of its own then. */
  readonly keysFrom?: number;
  /** Hands keys and values on to later layers. */
  readonly handsOn?: boolean;
  /** Names of its parts. Default: `self_attn` with `q_proj`, `k_proj`, `v_proj`, `o_proj`, `q_norm` and `k_norm`. */
  readonly names?: Partial<typeof NAMES>;
}

const NAMES = {
  whole: "self_attn",
  queries: "q_proj",
  keys: "k_proj",
  values: "v_proj",
  output: "o_proj",
  queryNorm: "q_norm",
  keyNorm: "k_norm",
};

/** Multi-head attention (Vaswani et al., arXiv:1706.03762), rotary positions, grouped heads (arXiv:2305.13245). */
export function attentionMixer(options: AttentionOptions): Mixer {
  const { hiddenSize, headCount, keyValueHeadCount, headSize, hasBias = false, hasOutputBias = false } = options;
  const names = { ...NAMES, ...options.names };
  const projection = projectionOf(options.projections ?? "plain");
  const [queryWidth, keyWidth] = [headCount * headSize, keyValueHeadCount * headSize];
  return {
    formula: `attention ${JSON.stringify(options)}`,
    specs(layer) {
      const name = (part: string): string => `${layer}.${names.whole}.${part}`;
      const linear = (part: string, width: number) => projection.specs(name(part), hiddenSize, width, hasBias);
      const norm = (part: string) => (options.headNorm ? normSpecs(name(part), headSize, options.headNorm) : []);
      return [
        ...linear(names.queries, queryWidth * (options.isGated === true ? 2 : 1)),
        ...(options.keysFrom === undefined ? linear(names.keys, keyWidth) : []),
        ...(options.keysFrom === undefined && options.valuesAreKeys !== true ? linear(names.values, keyWidth) : []),
        ...projection.specs(name(names.output), queryWidth, hiddenSize, hasOutputBias, "residual"),
        ...norm(names.queryNorm),
        ...(options.keysFrom === undefined ? norm(names.keyNorm) : []),
      ];
    },
    run(layer, index, input, scope) {
      const name = (part: string): string => `${layer}.${names.whole}.${part}`;
      const { pass, chosen, x } = input;
      const asking = chosen?.pass ?? pass;
      const asked = chosen === undefined ? x : gatherRows(x, chosen.rows);
      const { plain, gate } = takeGate(projection.run(asked, name(names.queries), scope), options);
      const normOf = (heads: Value, part: string): Value =>
        options.headNorm === undefined ? heads : normedHeads(heads, headSize, name(part), options.headNorm, scope);
      const queries = turn(normOf(plain, names.queryNorm), headCount, asking.rotary?.queries ?? asking.rotary, options);
      const made = keysAndValues(input, keyWidth, options, () => {
        const own = projection.run(x, name(names.keys), scope);
        const held = options.valuesAreKeys === true ? own : projection.run(x, name(names.values), scope);
        const even = options.valueNorm === undefined ? held : normedHeads(held, headSize, "", options.valueNorm, scope);
        return [turn(normOf(own, names.keyNorm), keyValueHeadCount, pass.rotary, options), even];
      });
      const [keys, values] = pass.remember?.(options.keysFrom ?? index, made) ?? made;
      const heads = multiHeadAttention(queries, keys!, values!, {
        headCount,
        keyValueHeadCount,
        scale: options.scale ?? headSize ** -0.5,
        ...(options.cap !== undefined && { cap: options.cap }),
        spans: asking.spans,
      });
      release(queries);
      if (options.handsOn !== true) release(...made);
      const opened = gate === undefined ? heads : mul(heads, sigmoid(gate));
      const mixed = projection.run(opened, name(names.output), scope);
      release(heads);
      return { mixed, ...(options.handsOn === true && { handsOn: concat(made, 1) }) };
    },
  };
}

/** The layer's own keys and values, or those that another layer handed on, side by side. */
function keysAndValues(
  { handed }: MixerInput,
  width: number,
  { keysFrom }: AttentionOptions,
  make: () => readonly [Value, Value],
): readonly [Value, Value] {
  if (keysFrom === undefined) return make();
  const rows = handed!.shape[0]!;
  return [slice(handed!, [0, 0], [rows, width]), slice(handed!, [0, width], [rows, width])];
}

/** Queries `[rows, heads * size]`, and the gate that lies behind the queries of each head, as wide. */
function takeGate(
  projected: Value,
  { isGated = false, headCount, headSize }: AttentionOptions,
): { readonly plain: Value; readonly gate: Value | undefined } {
  if (!isGated) return { plain: projected, gate: undefined };
  const rows = projected.shape[0]!;
  const heads = reshape(projected, [rows * headCount, 2 * headSize]);
  const part = (from: number): Value =>
    reshape(slice(heads, [0, from], [rows * headCount, headSize]), [rows, headCount * headSize]);
  return { plain: part(0), gate: part(headSize) };
}

/** Turns the heads of `x [rows, heads * size]` by their positions. */
function turn(
  x: Value,
  headCount: number,
  rotary: RotaryLines | undefined,
  { headSize, rotarySize = headSize, pairs = "halves" }: AttentionOptions,
): Value {
  if (rotary === undefined) return x;
  const rows = x.shape[0]!;
  const count = rows * headCount;
  const order = (columns: Value): Value => (pairs === "halves" ? columns : toHalves(columns, count, rotarySize, pairs));
  const turned = (columns: Value): Value =>
    rotaryHeads(reshape(columns, [rows, headCount * rotarySize]), headCount, rotary.cos, rotary.sin);
  if (rotarySize === headSize) return turned(order(x));
  const heads = reshape(x, [count, headSize]);
  const still = slice(heads, [0, rotarySize], [count, headSize - rotarySize]);
  const own = reshape(turned(order(slice(heads, [0, 0], [count, rotarySize]))), [count, rotarySize]);
  return reshape(concat([own, still], 1), [rows, headCount * headSize]);
}

/**
 * Brings the first columns of pairs to the front, then the second ones, in each of the heads: queries and keys in the
 * same new order have the same products.
 */
function toHalves(x: Value, count: number, size: number, pairs: "neighbours" | "quarters"): Value {
  return pairs === "neighbours"
    ? transpose(reshape(x, [count, size / 2, 2]), [0, 2, 1])
    : transpose(reshape(x, [count, 2, 2, size / 4]), [0, 2, 1, 3]);
}
