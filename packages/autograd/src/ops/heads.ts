import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { AttentionSpans } from "../attention-spans.js";
import { badArgument } from "../errors.js";
import { evenSamples, type EvenSamples } from "../kernels/even-samples.js";
import { hasFused, runFused, runFusedOne } from "../kernels/fused.js";
import { operate } from "../operation.js";
import { tapeOf, type Tape } from "../tape.js";
import type { Value } from "../value.js";
import { attention } from "./attention.js";
import { rotary } from "./rotary.js";
import { gatherRows } from "./rows.js";
import { reshape, transpose } from "./shape.js";

/** Options of {@link multiHeadAttention}. */
export interface MultiHeadAttentionOptions {
  readonly headCount: number;
  /** Fewer than heads where these share keys and values in groups. Default: as many. */
  readonly keyValueHeadCount?: number;
  /** Factor on the scores, usually `headSize ** -0.5`. */
  readonly scale: number;
  readonly spans: AttentionSpans;
}

/**
 * Attention on rows that hold one head after the other, as products with weights make them: `q [queries, heads * d]`, `k` and `v` `[keys, kvHeads * d]` to
 * `[queries, heads * d]`. The same as {@link attention} between splitting and joining heads; where the backend has a kernel for it, nothing is moved, scores
 * exist for a few queries at a time, and those that no query sees are not made. Saves q, k and v.
 * @throws THAW_AUTOGRAD_SHAPE
 */
export function multiHeadAttention(q: Value, k: Value, v: Value, options: MultiHeadAttentionOptions): Value {
  const { headCount, keyValueHeadCount = headCount, scale, spans } = options;
  const [queries, width] = q.shape as [number, number];
  const keyWidth = (width / headCount) * keyValueHeadCount;
  const isRight = [q, k, v].every(({ shape }) => shape.length === 2) && width % headCount === 0 && headCount % keyValueHeadCount === 0 && k.shape[1] === keyWidth && v.shape.join() === k.shape.join();
  if (!isRight || spans.queryCount !== queries) {
    const shapes = [q, k, v].map(({ shape }) => `[${shape.join(", ")}]`).join(", ");
    throw badArgument("multiHeadAttention", `q, k and v have shapes ${shapes}.`, `Use [rows, heads * d] with ${headCount} and ${keyValueHeadCount} heads, and spans for ${spans.queryCount} queries.`);
  }
  if (hasFused("ThawAttention")) return fusedAttention(q, k, v, spans, { heads: headCount, key_heads: keyValueHeadCount, scale });
  const tape = tapeOf("multiHeadAttention", q);
  const even = evenSamples(spans, k.shape[0] as number);
  const mask = even.mask === null ? {} : { mask: kept(tape, spans, "mask", () => tf.tensor(even.mask!.values, [...even.mask!.shape])) };
  return tape.tidy(() => {
    const [heads, keys, values] = [split(q, even.queryRows, even.queries, headCount, even), split(k, even.keyRows, even.keys, keyValueHeadCount, even), split(v, even.keyRows, even.keys, keyValueHeadCount, even)];
    const joined = reshape(transpose(attention(heads, keys, values, { scale, ...mask }), [0, 2, 1, 3]), [even.samples * even.queries, width]);
    return even.resultRows === null ? joined : gatherRows(joined, even.resultRows);
  });
}

/**
 * {@link rotary} on rows that hold one head after the other: `x [rows, heads * d]`. `cos` and `sin` `[n, d]`, borrowed until backward: one line a row, or `n` lines used
 * again and again where every sample has `n` rows. Saves nothing. @throws THAW_AUTOGRAD_SHAPE
 */
export function rotaryHeads(x: Value, headCount: number, cos: Tensor, sin: Tensor): Value {
  const [rows, width] = x.shape as [number, number];
  const [lines, depth] = cos.shape as [number, number];
  if (x.shape.length !== 2 || depth * headCount !== width || depth % 2 !== 0 || rows % lines !== 0) {
    throw badArgument("rotaryHeads", `x has shape [${x.shape.join(", ")}], the tables [${cos.shape.join(", ")}].`, `Use [rows, heads * d] with ${headCount} heads and an even d.`);
  }
  if (!hasFused("ThawRotary")) {
    const tape = tapeOf("rotaryHeads", x);
    const table = (values: Tensor): Tensor => tape.once(`rotary ${values.id}`, () => tf.reshape(values, [lines, 1, depth]));
    return tape.tidy(() => reshape(rotary(reshape(x, [rows / lines, lines, headCount, depth]), table(cos), table(sin)), [rows, width]));
  }
  return operate("rotary", [x], (record) => {
    if (record !== null) record.backward = (gradient) => [runFusedOne("ThawRotary", { x: gradient, cos, sin }, { heads: headCount, is_inverse: true })];
    return runFusedOne("ThawRotary", { x: x.tensor, cos, sin }, { heads: headCount, is_inverse: false });
  });
}

function fusedAttention(q: Value, k: Value, v: Value, spans: AttentionSpans, attributes: Readonly<Record<string, number>>): Value {
  return operate("multiHeadAttention", [q, k, v], (record, tape) => {
    const who = spanTensors(tape, spans);
    if (record !== null) {
      const [savedQ, savedK, savedV] = [record.save(q), record.save(k), record.save(v)];
      record.backward = (gradient, wants) =>
        runFused("ThawAttentionGradient", { gradient, q: savedQ(), k: savedK(), v: savedV(), ...who }, attributes).map((part, index) => (wants[index] ? part : null));
    }
    return runFusedOne("ThawAttention", { q: q.tensor, k: k.tensor, v: v.tensor, ...who }, attributes);
  });
}

/** Uploaded once a pass, not once a layer. */
function spanTensors(tape: Tape, spans: AttentionSpans): { readonly spans: Tensor; readonly visible: Tensor } {
  return {
    spans: kept(tape, spans, "table", () => tf.tensor2d(spans.table(), [spans.samples.length, 4], "int32")),
    visible: kept(tape, spans, "visible", () => tf.tensor1d(spans.visible ?? new Int32Array(0), "int32")),
  };
}

/** A tensor made of spans: for many passes where others may have the same spans, else for this one. */
function kept(tape: Tape, spans: AttentionSpans, name: string, make: () => Tensor): Tensor {
  return spans.key === undefined ? tape.once(`${name} of spans ${spans.id}`, make) : tape.shared(`${name} of ${spans.key}`, make);
}

/** Rows of heads to `[samples, heads, tokens, d]`. */
function split(x: Value, rows: Int32Array | null, tokens: number, headCount: number, { samples }: EvenSamples): Value {
  const even = rows === null ? x : gatherRows(x, rows);
  return transpose(reshape(even, [samples, tokens, headCount, (x.shape[1] as number) / headCount]), [0, 2, 1, 3]);
}
