import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { type CappedScores, capScores, throughCap } from "../../kernels/attention.js";
import type { Kernels } from "../../kernels/kernels.js";
import { operate } from "../../engine/operation.js";
import type { Value } from "../../engine/value.js";
import type { Sight } from "./attention-spans.js";

/**
 * Queries that are taken together, at least, where not all see all keys: scores of keys that none of them sees are not
 * made.
 */
const BLOCK_ROWS = 128;
/**
 * Rows of scores have a multiple of this many numbers: products of float32 on tensor cores want 16 bytes, cuBLAS likes
 * 32.
 */
const ALIGNMENT = 8;
/**
 * Bounds of scores from above: of those that a query must not see, and of others. A bound, because an addition would
 * become part of the product, which then reads it in full.
 */
const [HIDDEN, VISIBLE] = [-1e9, 1e30];

/** Options of {@link tracedAttention}. */
export interface TracedAttentionOptions extends Sight {
  readonly scale: number;
  /** Scores become `cap * tanh(scores / cap)`. Absent: they stay. */
  readonly cap?: number;
}

/**
 * Queries from `start` to `end` with `keys` keys from `firstKey`; `bound [end - start, keys]` where some see fewer.
 */
interface Block {
  readonly start: number;
  readonly end: number;
  readonly firstKey: number;
  readonly keys: number;
  readonly bound: Tensor | null;
}

/**
 * The same as `attention`, for functions, whose compiler makes one pass of operations between products: `q [batch,
 * heads, queries, d]`, `k` and `v [batch, kvHeads, keys, d]`. Rows are divided by their sum after the product with `v`,
 * and backward makes probabilities of scores and each row's normaliser at once, as FlashAttention-2 does (Dao 2023,
 * arXiv 2307.08691, section 3.1), so that scores are read fewer times. Saves q, k, v and one number per row and head.
 */
export function tracedAttention(q: Value, k: Value, v: Value, { scale, cap, ...sight }: TracedAttentionOptions): Value {
  const [batch, heads, queries, depth] = q.shape as [number, number, number, number];
  const [, kvHeads, keyCount] = k.shape as [number, number, number, number];
  const keys = aligned(keyCount);
  const group = heads / kvHeads;
  const grouped = (x: Tensor): Tensor => tf.reshape(x, [batch, kvHeads, group, queries, depth]);
  const ungrouped = (x: Tensor): Tensor => tf.reshape(x, [batch, heads, queries, depth]);
  // Of a block: its rows `[batch, kvHeads, group * rows, n]`, and back to `[batch, kvHeads, group, rows, n]`.
  const rowsOf = (x: Tensor, { start, end }: Block): Tensor =>
    tf.reshape(tf.slice(x, [0, 0, 0, start, 0], [-1, -1, -1, end - start, -1]), [
      batch,
      kvHeads,
      group * (end - start),
      x.shape[4]!,
    ]);
  const asRows = (x: Tensor, { start, end }: Block): Tensor =>
    tf.reshape(x, [batch, kvHeads, group, end - start, x.shape[3]!]);
  const evenKeys = (x: Tensor): Tensor =>
    keys === keyCount
      ? x
      : tf.pad(x, [
          [0, 0],
          [0, 0],
          [0, keys - keyCount],
          [0, 0],
        ]);
  const keysOf = (x: Tensor, block: Block): Tensor =>
    block.keys === keys ? x : tf.slice(x, [0, 0, block.firstKey, 0], [-1, -1, block.keys, -1]);
  const scoresOf = (
    kernels: Kernels,
    scaled: Tensor,
    allKeys: Tensor,
    block: Block,
    wantsSlope: boolean,
  ): CappedScores => {
    const plain = kernels.product(rowsOf(scaled, block), keysOf(allKeys, block), false, true);
    const [scores, ...slope] = capScores(plain, cap, wantsSlope);
    if (block.bound === null) return [scores, ...slope];
    return [tf.reshape(tf.minimum(asRows(scores, block), block.bound), scores.shape), ...slope];
  };
  return operate("attention", [q, k, v], (record, tape) => {
    const { kernels } = tape;
    const factor = tape.scalar(scale);
    const scaledOf = (x: Tensor): Tensor => grouped(tf.mul(x, factor));
    const scaled = scaledOf(q.tensor);
    const [allKeys, values] = [evenKeys(k.tensor), evenKeys(v.tensor)];
    const normalisers: Tensor[] = [];
    const mixed = blocksOf(queries, keyCount, sight).map((block) => {
      const [scores] = scoresOf(kernels, scaled, allKeys, block, false);
      const most = tf.max(scores, -1, true);
      const weights = tf.exp(tf.sub(scores, most));
      const sum = tf.sum(weights, -1, true);
      normalisers.push(asRows(tf.add(most, tf.log(sum)), block));
      return asRows(tf.div(kernels.product(weights, keysOf(values, block)), sum), block);
    });
    if (record !== null) {
      const [savedQ, savedK, savedV, normaliser] = [
        record.save(q),
        record.save(k),
        record.save(v),
        record.keep(joined(normalisers, 3)),
      ];
      record.backward = (gradient, wants) => {
        const [again, keysAgain, valuesAgain, upstream] = [
          scaledOf(savedQ()),
          evenKeys(savedK()),
          evenKeys(savedV()),
          grouped(gradient),
        ];
        const parts = blocksOf(queries, keyCount, sight).map((block) => {
          const rows = rowsOf(upstream, block);
          const [bounded, slope] = scoresOf(kernels, again, keysAgain, block, true);
          const weights = tf.exp(tf.sub(bounded, rowsOf(normaliser(), block)));
          const through = kernels.product(rows, keysOf(valuesAgain, block), false, true);
          const capped = tf.mul(weights, tf.sub(through, tf.sum(tf.mul(weights, through), -1, true)));
          const scores = throughCap(capped, slope);
          const lastKey = block.firstKey + block.keys;
          const whole = (x: Tensor): Tensor => {
            const real = lastKey > keyCount ? tf.slice(x, [0, 0, 0, 0], [-1, -1, keyCount - block.firstKey, -1]) : x;
            const after = Math.max(0, keyCount - lastKey);
            return block.firstKey === 0 && after === 0
              ? real
              : tf.pad(real, [
                  [0, 0],
                  [0, 0],
                  [block.firstKey, after],
                  [0, 0],
                ]);
          };
          return {
            q: wants[0] ? asRows(kernels.product(scores, keysOf(keysAgain, block)), block) : null,
            k: wants[1] ? whole(kernels.product(scores, rowsOf(again, block), true, false)) : null,
            v: wants[2] ? whole(kernels.product(weights, rows, true, false)) : null,
          };
        });
        const total = (name: "k" | "v"): Tensor =>
          parts.map((part) => part[name]!).reduce((sum, part) => tf.add(sum, part));
        return [
          wants[0]
            ? tf.mul(
                ungrouped(
                  joined(
                    parts.map((part) => part.q!),
                    3,
                  ),
                ),
                factor,
              )
            : null,
          wants[1] ? total("k") : null,
          wants[2] ? total("v") : null,
        ];
      };
    }
    return ungrouped(joined(mixed, 3));
  });
}

function joined(parts: readonly Tensor[], axis: number): Tensor {
  return parts.length === 1 ? parts[0]! : tf.concat([...parts], axis);
}

function aligned(count: number): number {
  return Math.ceil(count / ALIGNMENT) * ALIGNMENT;
}

/** Called in the tidy that reads the bounds. */
function blocksOf(queries: number, keyCount: number, sight: Sight): Block[] {
  const firsts = sight.first ?? new Int32Array(queries);
  const ends = sight.end ?? new Int32Array(queries).fill(keyCount);
  const isCut = firsts.some((first) => first > 0) || ends.some((end) => end < keyCount);
  const rows = isCut ? aligned(queries / Math.max(1, Math.floor(queries / BLOCK_ROWS))) : queries;
  return Array.from({ length: Math.ceil(queries / rows) }, (_, index) => {
    const [start, end] = [index * rows, Math.min(queries, (index + 1) * rows)];
    const [first, seen] = [firsts.subarray(start, end), ends.subarray(start, end)];
    const most = seen.reduce((a, b) => Math.max(a, b), 1);
    const least = first.reduce((a, b) => Math.min(a, b), most - 1);
    const firstKey = Math.max(0, Math.floor(least / ALIGNMENT) * ALIGNMENT);
    const keys = aligned(most - firstKey);
    const values = Float32Array.from({ length: (end - start) * keys }, (_unused, at) => {
      const [row, key] = [Math.floor(at / keys), firstKey + (at % keys)];
      return key >= first[row]! && key < seen[row]! ? VISIBLE : HIDDEN;
    });
    const bound = values.includes(HIDDEN) ? tf.tensor2d(values, [end - start, keys]) : null;
    return { start, end, firstKey, keys, bound };
  });
}
