import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { badArgument } from "../../errors.js";
import { operate } from "../../engine/operation.js";
import type { Value } from "../../engine/value.js";

/** Options of {@link causalConvolution}. */
export interface CausalConvolutionOptions {
  /** Sample `s` has the rows `offsets[s]` to `offsets[s + 1]`; all rows belong to one. */
  readonly offsets: Int32Array;
  /**
   * `[samples * (width - 1), channels]`, float32: of each sample the rows before its first, the earliest first. Absent:
   * zeros.
   */
  readonly initial?: Value;
}

/**
 * Convolution of each channel alone over the rows of samples, where a row sees itself and the `width - 1` rows before
 * it: `x [rows, channels]` and `weight [channels, width]`, its last column for the row itself, to `[rows, channels]`.
 * Saves the weight where x or the initial rows want a gradient, and these where the weight wants one.
 * @throws THAW_AUTOGRAD_SHAPE
 */
export function causalConvolution(x: Value, weight: Value, { offsets, initial }: CausalConvolutionOptions): Value {
  const [rows, channels] = x.shape as [number, number];
  const width = weight.shape[1] as number;
  const before = (offsets.length - 1) * (width - 1);
  const isOrdered = offsets.every((offset, sample) => offset >= (sample === 0 ? 0 : offsets[sample - 1]!));
  const isRight =
    x.shape.length === 2 &&
    weight.shape.length === 2 &&
    weight.shape[0] === channels &&
    width > 0 &&
    (initial === undefined || initial.shape.join() === `${before},${channels}`);
  if (!isRight || !isOrdered || offsets[0] !== 0 || offsets.at(-1) !== rows) {
    const shapes = [x, weight, ...(initial === undefined ? [] : [initial])].map(({ shape }) => `[${shape.join(", ")}]`);
    throw badArgument(
      "causalConvolution",
      `x, weight and initial have shapes ${shapes.join(", ")}, the offsets are ${offsets.join(", ")}.`,
      "Use [rows, channels], [channels, width], [samples * (width - 1), channels] and ascending offsets from 0 " +
        "to rows.",
    );
  }
  const taps = tapsOf(offsets, width, initial !== undefined);
  const inputs = initial === undefined ? [x, weight] : [x, weight, initial];
  return operate("causalConvolution", inputs, (record, { kernels }) => {
    const zero = (): Tensor => tf.zeros([1, channels]);
    const column = (all: Tensor, tap: number): Tensor => tf.reshape(tf.slice(all, [0, tap], [-1, 1]), [channels]);
    const total = (term: (tap: number) => Tensor): Tensor =>
      taps.map((_, tap) => tf.tidy(() => term(tap))).reduce((sum, part) => tf.add(sum, part));
    const joined = (own: Tensor, earlier: Tensor | undefined): Tensor =>
      tf.concat([own, ...(earlier === undefined ? [] : [earlier]), zero()], 0);
    if (record !== null) {
      const [needX, needWeight, needInitial = false] = record.needs;
      const savedWeight = needX || needInitial ? record.save(weight) : null;
      const savedRows = needWeight ? record.save(x) : null;
      const savedInitial = needWeight && initial !== undefined ? record.save(initial) : null;
      record.backward = (gradient, [wantX, wantWeight, wantInitial]) => {
        const padded = savedWeight === null ? null : tf.concat([gradient, zero()], 0);
        const toSources = (first: number, end: number): Tensor =>
          total((tap) =>
            tf.mul(kernels.gatherRows(padded!, readersOf(taps[tap]!, first, end)), column(savedWeight!(), tap)),
          );
        const sources = wantWeight === true ? joined(savedRows!(), savedInitial?.()) : null;
        return [
          wantX === true ? toSources(0, rows) : null,
          sources === null
            ? null
            : tf.stack(
                taps.map((tap) => tf.sum(tf.mul(gradient, kernels.gatherRows(sources, tap)), 0)),
                1,
              ),
          ...(initial === undefined ? [] : [wantInitial === true ? toSources(rows, rows + before) : null]),
        ];
      };
    }
    const sources = joined(x.tensor, initial?.tensor);
    return total((tap) => tf.mul(kernels.gatherRows(sources, taps[tap]!), column(weight.tensor, tap)));
  });
}

/** For each column of the weight, which row each row reads: of x, then of the initial rows, then one of zeros. */
function tapsOf(offsets: Int32Array, width: number, hasInitial: boolean): readonly Int32Array[] {
  const rows = offsets.at(-1)!;
  const zero = rows + (hasInitial ? (offsets.length - 1) * (width - 1) : 0);
  return Array.from({ length: width }, (_, tap) => {
    const read = new Int32Array(rows);
    for (let sample = 0; sample + 1 < offsets.length; sample++)
      for (let row = offsets[sample]!; row < offsets[sample + 1]!; row++) {
        const source = row - (width - 1 - tap);
        const missing = source - offsets[sample]!;
        read[row] = missing >= 0 ? source : hasInitial ? rows + (sample + 1) * (width - 1) + missing : zero;
      }
    return read;
  });
}

/** For each source from `first` to `end`, the one row that reads it; the row behind the last where none does. */
function readersOf(read: Int32Array, first: number, end: number): Int32Array {
  const readers = new Int32Array(end - first).fill(read.length);
  read.forEach((source, row) => {
    if (source >= first && source < end) readers[source - first] = row;
  });
  return readers;
}
