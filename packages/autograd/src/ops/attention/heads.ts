import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { AttentionSpans, Sight } from "./attention-spans.js";
import { badArgument } from "../../errors.js";
import { type EvenSamples, evenSamples, type QueryBlock } from "../../kernels/even-samples.js";
import { hasFused, runFused, runFusedOne } from "../../kernels/fused.js";
import { operate } from "../../engine/operation.js";
import { tapeOf, type Tape } from "../../engine/tape.js";
import type { Value } from "../../engine/value.js";
import { attention } from "./attention.js";
import { fuse } from "../fuse.js";
import { rotary } from "./rotary.js";
import { gatherRows } from "../rows.js";
import { reshape, transpose } from "../shape.js";
import { ruleOf, type WholeAttentionShape } from "../../bfloat16/whole-attention.js";
import { tracedAttention } from "./traced-attention.js";
import { wholeAttention } from "./whole-attention.js";

/** Options of {@link multiHeadAttention}. */
export interface MultiHeadAttentionOptions {
  readonly headCount: number;
  /** Fewer than heads where these share keys and values in groups. Default: as many. */
  readonly keyValueHeadCount?: number;
  /** Factor on the scores, usually `headSize ** -0.5`. */
  readonly scale: number;
  /** Scores become `cap * tanh(scores / cap)` (Gemma2). Absent: they stay. */
  readonly cap?: number;
  readonly spans: AttentionSpans;
}

/**
 * Attention on rows that hold one head after the other, as products with weights make them: `q [queries, heads * d]`,
 * `k` and `v` `[keys, kvHeads * d]` to `[queries, heads * d]`. The same as {@link attention} between splitting and
 * joining heads; where the backend has a kernel for it, nothing is moved, scores exist for a few queries at a time, and
 * those that no query sees are not made; capped scores always go the first way. Saves q, k and v.
 * @throws THAW_AUTOGRAD_SHAPE
 */
export function multiHeadAttention(q: Value, k: Value, v: Value, options: MultiHeadAttentionOptions): Value {
  const { headCount, keyValueHeadCount = headCount, scale, cap, spans } = options;
  const [queries, width] = q.shape as [number, number];
  const keyWidth = (width / headCount) * keyValueHeadCount;
  const isRight =
    [q, k, v].every(({ shape }) => shape.length === 2) &&
    width % headCount === 0 &&
    headCount % keyValueHeadCount === 0 &&
    k.shape[1] === keyWidth &&
    v.shape.join() === k.shape.join();
  if (!isRight || spans.queryCount !== queries) {
    const shapes = [q, k, v].map(({ shape }) => `[${shape.join(", ")}]`).join(", ");
    throw badArgument(
      "multiHeadAttention",
      `q, k and v have shapes ${shapes}.`,
      `Use [rows, heads * d] with ${headCount} and ${keyValueHeadCount} heads, and spans for ${spans.queryCount} ` +
        "queries.",
    );
  }
  if (hasFused("ThawAttention") && cap === undefined)
    return fusedAttention(q, k, v, spans, { heads: headCount, key_heads: keyValueHeadCount, scale });
  const tape = tapeOf("multiHeadAttention", q);
  const even = evenSamples(spans, k.shape[0] as number);
  const sizes = `${headCount} ${keyValueHeadCount} ${scale} ${cap ?? ""}`;
  const layout: EvenOptions = {
    samples: even.samples,
    headCount,
    keyValueHeadCount,
    factors: { scale, ...(cap !== undefined && { cap }) },
    blocks: even.blocks,
  };
  const stretches = even.blocks?.map(({ firstKey, endKey }) => ` ${firstKey}-${endKey}`).join("") ?? "";
  return tape.tidy(() => {
    const rows = [atRows(q, even.queryRows), atRows(k, even.keyRows), atRows(v, even.keyRows)];
    // Where spans have a key, who sees what can be part of a function; else it is an input.
    const sight = spans.key === undefined ? undefined : commonSight(spans, even);
    const mask =
      even.mask === null || (sight !== undefined && tape.kernels.isTraced === true)
        ? []
        : [tape.constant(kept(tape, spans, "mask", () => tf.tensor(even.mask!.values, [...even.mask!.shape])))];
    const joined =
      sight === undefined
        ? fuse(`attention ${sizes}#${even.samples}${stretches}`, [...rows, ...mask], (...given) =>
            evenAttention(given.slice(0, 3), layout, given[3]),
          )
        : fuse(`attention ${sizes}#${spans.key}`, rows, (...given) =>
            evenAttention(given, layout, mask[0], even.mask === null ? undefined : sight),
          );
    return atRows(joined, even.resultRows);
  });
}

interface EvenOptions {
  readonly samples: number;
  readonly headCount: number;
  readonly keyValueHeadCount: number;
  readonly factors: { readonly scale: number; readonly cap?: number };
  readonly blocks: readonly QueryBlock[] | null;
}

/**
 * Attention of samples of equally many rows: queries, keys and values, each `[samples * n, heads * d]`. What a query
 * must not see is in the mask, or where a function is made, in `sight`, the same for all samples.
 */
function evenAttention(
  [q, k, v]: readonly Value[],
  { samples, headCount, keyValueHeadCount, factors, blocks }: EvenOptions,
  mask: Value | undefined,
  sight?: Sight,
): Value {
  const { kernels } = tapeOf("multiHeadAttention", q!);
  const isTraced = kernels.isTraced === true && (mask === undefined || sight !== undefined);
  const whole = isTraced && factors.cap === undefined ? kernels.wholeAttention : undefined;
  const [queryCount, keyCount] = [q!.shape[0]! / samples, k!.shape[0]! / samples];
  const rule = whole === undefined ? undefined : ruleOf(sight ?? {}, queryCount, keyCount);
  if (whole !== undefined && rule !== undefined) {
    const shape: WholeAttentionShape = {
      samples,
      queries: queryCount,
      keys: keyCount,
      heads: headCount,
      keyHeads: keyValueHeadCount,
      depth: q!.shape[1]! / headCount,
      scale: factors.scale,
      ...rule,
    };
    if (whole.allows(shape)) return wholeAttention(q!, k!, v!, shape, whole);
  }
  const split = (x: Value, heads: number): Value =>
    transpose(reshape(x, [samples, x.shape[0]! / samples, heads, x.shape[1]! / heads]), [0, 2, 1, 3]);
  const [queries, keys, values] = [split(q!, headCount), split(k!, keyValueHeadCount), split(v!, keyValueHeadCount)];
  const mixed = isTraced
    ? tracedAttention(queries, keys, values, { ...factors, ...sight })
    : attention(queries, keys, values, { ...factors, ...(mask && { mask: mask.tensor }), ...(blocks && { blocks }) });
  return reshape(transpose(mixed, [0, 2, 1, 3]), q!.shape);
}

/** What each query of a sample sees, if that is the same in all samples. */
function commonSight({ samples, first, end }: AttentionSpans, { queries, keys, mask }: EvenSamples): Sight | undefined {
  if (first === undefined && end === undefined) return mask === null ? {} : undefined;
  const isCommon = (bound: Int32Array | undefined): boolean =>
    bound?.every((key, row) => key === bound[row % queries]) ?? true;
  if (!samples.every((sample) => sample.queries === queries && sample.keys === keys)) return undefined;
  if (!isCommon(first) || !isCommon(end)) return undefined;
  return {
    ...(first && { first: first.subarray(0, queries) }),
    ...(end && { end: end.subarray(0, queries) }),
  };
}

function atRows(x: Value, rows: Int32Array | null): Value {
  return rows === null ? x : gatherRows(x, rows);
}

/**
 * {@link rotary} on rows that hold one head after the other: `x [rows, heads * d]`. `cos` and `sin` `[n, d]`, borrowed
 * for the call: one line per row, or `n` lines used again and again where every sample has `n` rows. Saves nothing.
 * @throws THAW_AUTOGRAD_SHAPE
 */
export function rotaryHeads(x: Value, headCount: number, cos: Tensor, sin: Tensor): Value {
  const [rows, width] = x.shape as [number, number];
  const [lines, depth] = cos.shape as [number, number];
  if (x.shape.length !== 2 || depth * headCount !== width || depth % 2 !== 0 || rows % lines !== 0) {
    throw badArgument(
      "rotaryHeads",
      `x has shape [${x.shape.join(", ")}], the tables [${cos.shape.join(", ")}].`,
      `Use [rows, heads * d] with ${headCount} heads and an even d.`,
    );
  }
  if (!hasFused("ThawRotary")) {
    const tape = tapeOf("rotaryHeads", x);
    const table = (values: Tensor): Value =>
      tape.constant(tape.once(`rotary ${values.id}`, () => tf.reshape(values, [lines, 1, depth])));
    return fuse(`rotary ${headCount}`, [x, table(cos), table(sin)], (turned, ...tables) =>
      tapeOf("rotaryHeads", turned!).tidy(() =>
        reshape(
          rotary(reshape(turned!, [rows / lines, lines, headCount, depth]), tables[0]!.tensor, tables[1]!.tensor),
          [rows, width],
        ),
      ),
    );
  }
  return operate("rotary", [x], (record, tape) => {
    if (record !== null) {
      // The caller may free its tables before backward.
      const [keptCos, keptSin] = [cos, sin].map((table) => tape.once(`rotary ${table.id}`, () => tf.clone(table)));
      record.backward = (gradient) => [
        runFusedOne(
          "ThawRotary",
          { x: gradient, cos: keptCos!, sin: keptSin! },
          { heads: headCount, is_inverse: true },
        ),
      ];
    }
    return runFusedOne("ThawRotary", { x: x.tensor, cos, sin }, { heads: headCount, is_inverse: false });
  });
}

function fusedAttention(
  q: Value,
  k: Value,
  v: Value,
  spans: AttentionSpans,
  attributes: Readonly<Record<string, number>>,
): Value {
  return operate("multiHeadAttention", [q, k, v], (record, tape) => {
    const who = spanTensors(tape, spans);
    if (record !== null) {
      const [savedQ, savedK, savedV] = [record.save(q), record.save(k), record.save(v)];
      record.backward = (gradient, wants) =>
        runFused("ThawAttentionGradient", { gradient, q: savedQ(), k: savedK(), v: savedV(), ...who }, attributes).map(
          (part, index) => (wants[index] ? part : null),
        );
    }
    return runFusedOne("ThawAttention", { q: q.tensor, k: k.tensor, v: v.tensor, ...who }, attributes);
  });
}

/** Uploaded once per pass, not once per layer. A bound that spans have not got is empty. */
function spanTensors(tape: Tape, spans: AttentionSpans): Readonly<Record<"spans" | "first" | "end", Tensor>> {
  const bound = (name: "first" | "end"): Tensor =>
    kept(tape, spans, name, () => tf.tensor1d(spans[name] ?? new Int32Array(0), "int32"));
  return {
    spans: kept(tape, spans, "table", () => tf.tensor2d(spans.table(), [spans.samples.length, 4], "int32")),
    first: bound("first"),
    end: bound("end"),
  };
}

/** A tensor made of spans: for many passes where others may have the same spans, else for this one. */
function kept(tape: Tape, spans: AttentionSpans, name: string, make: () => Tensor): Tensor {
  return spans.key === undefined
    ? tape.once(`${name} of spans ${spans.id}`, make)
    : tape.shared(`${name} of ${spans.key}`, make);
}
