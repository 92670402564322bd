import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { operate } from "../../engine/operation.js";
import { tapeOf } from "../../engine/tape.js";
import type { Value } from "../../engine/value.js";
import { badArgument } from "../../errors.js";
import { add, mul, sub } from "../arithmetic.js";
import { matmul } from "../linear.js";
import { exp } from "../pointwise.js";
import { gatherRows, scatterRows } from "../rows.js";
import { concat, reshape, slice, transpose } from "../shape.js";

/** Rows that are computed at once, as in the paper's kernels. */
const CHUNK = 64;

/** What {@link gatedDelta} is given beside queries, keys and values. */
export interface GatedDeltaOptions {
  readonly headCount: number;
  /** Sample `s` has the rows `offsets[s]` to `offsets[s + 1]`. */
  readonly offsets: Int32Array;
  /** States before the first rows, `[samples * heads, keySize, valueSize]`. Default: zeros. */
  readonly initial?: Value;
}

/** What {@link gatedDelta} gives. */
export interface GatedDeltaResult {
  /** `[rows, heads * valueSize]`. */
  readonly output: Value;
  /** States behind the last rows, `[samples * heads, keySize, valueSize]`. */
  readonly state: Value;
}

/**
 * The gated delta rule (Yang et al., arXiv:2412.06464): row by row, for each head, with the state `S [keySize,
 * valueSize]`: `S = e^decay S; S = S + k (beta (v - S^T k))^T; output = S^T q`. `q` and `k [rows, heads * keySize]`, `v
 * [rows, heads * valueSize]`, `decay` (at most 0) and `beta [rows, heads]`. Computed in chunks of rows, whose inner
 * dependence is one triangular system (transformers 5.23, `modeling_qwen3_next.py`, `torch_chunk_gated_delta_rule`).
 * @throws THAW_AUTOGRAD_SHAPE
 */
export function gatedDelta(
  q: Value,
  k: Value,
  v: Value,
  decay: Value,
  beta: Value,
  options: GatedDeltaOptions,
): GatedDeltaResult {
  const layout = layoutOf(q, k, v, decay, beta, options);
  const { steps, size, batch } = layout;
  const [queries, keys, values] = [q, k, v].map((x) => toChunks(x, layout)) as [Value, Value, Value];
  const [decays, betas] = [decay, beta].map((x) => toChunks(x, layout)) as [Value, Value];
  const chunks = steps * batch;
  const { lower, strict } = masksOf(q, size);
  const summed = matmul(lowerOnes(q, chunks, size), decays);
  const between = sub(summed, reshape(summed, [chunks, 1, size]));
  const fading = mul(exp(mul(between, lower)), lower);
  const weighted = mul(keys, betas);
  const system = mul(matmul(weighted, keys, { transposeB: true }), mul(fading, strict));
  const solved = unitLowerInverse(system);
  const fresh = matmul(solved, mul(values, betas));
  const seen = matmul(solved, mul(weighted, exp(summed)));
  const inner = mul(matmul(queries, keys, { transposeB: true }), fading);
  const end = slice(summed, [0, size - 1, 0], [chunks, 1, 1]);
  const asking = mul(queries, exp(summed));
  const leaving = mul(keys, exp(sub(end, summed)));
  const endFading = exp(end);
  const [keySize, valueSize] = [keys.shape[2]!, values.shape[2]!];
  let state = options.initial ?? tapeOf("gatedDelta", q).own(tf.zeros([batch, keySize, valueSize]));
  const outputs: Value[] = [];
  for (let step = 0; step < steps; step++) {
    const of = (x: Value): Value => slice(x, [step * batch, 0, 0], [batch, x.shape[1]!, x.shape[2]!]);
    const changed = sub(of(fresh), matmul(of(seen), state));
    outputs.push(add(matmul(of(asking), state), matmul(of(inner), changed)));
    state = add(mul(state, of(endFading)), matmul(of(leaving), changed, { transposeA: true }));
  }
  return { output: fromChunks(outputs.length === 1 ? outputs[0]! : concat(outputs, 0), layout), state };
}

/** How rows of samples lie in chunks of one size: `[steps, samples, heads, size, width]`. */
interface Layout {
  readonly headCount: number;
  readonly samples: number;
  readonly batch: number;
  readonly steps: number;
  readonly size: number;
  readonly rowCount: number;
  /** Place of each row in `[samples, steps * size]`. */
  readonly places: Int32Array;
}

function layoutOf(
  q: Value,
  k: Value,
  v: Value,
  decay: Value,
  beta: Value,
  { headCount, offsets, initial }: GatedDeltaOptions,
): Layout {
  const samples = offsets.length - 1;
  const rowCount = q.shape[0]!;
  const [keySize, valueSize] = [q.shape[1]! / headCount, v.shape[1]! / headCount];
  const shapes = [q, k, v, decay, beta, ...(initial ? [initial] : [])].map(({ shape }) => shape.join());
  const wanted = [
    ...[keySize, keySize, valueSize, 1, 1].map((size) => [rowCount, headCount * size].join()),
    ...(initial ? [[samples * headCount, keySize, valueSize].join()] : []),
  ];
  const isOrdered = offsets.every((offset, sample) => offset >= (sample === 0 ? 0 : offsets[sample - 1]!));
  if (!isOrdered || offsets.at(-1) !== rowCount || shapes.some((shape, index) => shape !== wanted[index]))
    throw badArgument(
      "gatedDelta",
      `The shapes are [${shapes.join("], [")}], for ${headCount} heads and the offsets ${offsets.join(", ")}.`,
      "Use [rows, heads * keySize] twice, [rows, heads * valueSize], [rows, heads] twice and offsets up to the rows.",
    );
  const longest = Math.max(1, ...Array.from({ length: samples }, (_, s) => offsets[s + 1]! - offsets[s]!));
  const size = Math.min(CHUNK, 2 ** Math.ceil(Math.log2(longest)));
  const steps = Math.ceil(longest / size);
  const places = new Int32Array(rowCount);
  for (let sample = 0; sample < samples; sample++)
    for (let row = offsets[sample]!; row < offsets[sample + 1]!; row++)
      places[row] = sample * steps * size + row - offsets[sample]!;
  return { headCount, samples, batch: samples * headCount, steps, size, rowCount, places };
}

/** `[rows, heads * width]` to `[steps * samples * heads, size, width]`, zeros where a sample has no row. */
function toChunks(x: Value, { headCount, samples, steps, size, batch, places }: Layout): Value {
  const width = x.shape[1]! / headCount;
  const isWhole = places.length === samples * steps * size;
  const padded = isWhole
    ? x
    : scatterRows(tapeOf("gatedDelta", x).own(tf.zeros([samples * steps * size, x.shape[1]!])), places, x);
  const apart = transpose(reshape(padded, [samples, steps, size, headCount, width]), [1, 0, 3, 2, 4]);
  return reshape(apart, [steps * batch, size, width]);
}

/** The way back. */
function fromChunks(x: Value, { headCount, samples, steps, size, places }: Layout): Value {
  const width = x.shape[2]!;
  const together = transpose(reshape(x, [steps, samples, headCount, size, width]), [1, 0, 3, 2, 4]);
  const rows = reshape(together, [samples * steps * size, headCount * width]);
  return places.length === samples * steps * size ? rows : gatherRows(rows, places);
}

/** `[1, size, size]`: 1 on and below the diagonal, and below it alone. */
function masksOf(x: Value, size: number): { readonly lower: Value; readonly strict: Value } {
  const tape = tapeOf("gatedDelta", x);
  const mask = (first: number): Value =>
    tape.constant(
      tape.once(`lower ${size} ${first}`, () => tf.expandDims(tf.cast(lowerMask(size, first), "float32"), 0)),
    );
  return { lower: mask(0), strict: mask(1) };
}

/** Of a square matrix, where the row is at least `first` behind the column. */
function lowerMask(size: number, first: number): Tensor {
  const at = tf.range(0, size, 1, "int32");
  return tf.greaterEqual(tf.sub(tf.reshape(at, [size, 1]), tf.reshape(at, [1, size])), tf.scalar(first, "int32"));
}

/** `[chunks, size, size]`, 1 on and below the diagonal: multiplied with it rows are summed up. */
function lowerOnes(x: Value, chunks: number, size: number): Value {
  const tape = tapeOf("gatedDelta", x);
  const make = (): Tensor => tf.tile(tf.expandDims(tf.cast(lowerMask(size, 0), "float32"), 0), [chunks, 1, 1]);
  return tape.constant(tape.once(`lower ones ${chunks} ${size}`, make));
}

/**
 * `(I + A)^-1` of strictly lower triangular `A [n, size, size]`, size a power of two: blocks on the diagonal are
 * inverted, then pairs of them, as exact as substitution row by row. Saves the inverse.
 */
function unitLowerInverse(system: Value): Value {
  const size = system.shape[1]!;
  return operate("unitLowerInverse", [system], (record) => {
    let inverse: Tensor = tf.add(tf.zerosLike(system.tensor), tf.eye(size));
    for (let block = 1; block < size; block *= 2) {
      const below = tf.mul(system.tensor, pairMask(size, block));
      inverse = tf.sub(inverse, tf.matMul(tf.matMul(inverse, below), inverse));
    }
    if (record !== null) {
      const saved = record.saveOutput();
      record.backward = (gradient) => [
        tf.neg(tf.matMul(tf.matMul(saved(), gradient, true, false), saved(), false, true)),
      ];
    }
    return inverse;
  });
}

/** Where a matrix in blocks couples the second of a pair of diagonal blocks to the first. */
function pairMask(size: number, block: number): Tensor {
  const at = tf.floorDiv(tf.range(0, size, 1, "int32"), tf.scalar(block, "int32"));
  const [row, column] = [tf.reshape(at, [size, 1]), tf.reshape(at, [1, size])];
  const isSecond = tf.equal(tf.mod(row, tf.scalar(2, "int32")), tf.scalar(1, "int32"));
  const isFirst = tf.equal(column, tf.sub(row, tf.scalar(1, "int32")));
  return tf.cast(tf.logicalAnd(isSecond, isFirst), "float32");
}
