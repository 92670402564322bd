import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/** Values that share a scale: bitsandbytes' block of optimizer states. */
export const BLOCK = 256;
/** Codes in one float32: 24 bits are exact. */
export const CODES_PER_NUMBER = 3;

const DECADES = 7;
const [LOW, HIGH] = [0.1, 1];

/**
 * One of the two codes of a byte. Magnitudes, as shares of a block's largest: seven decades, each cut into equal steps
 * whose middles are the values, twice as many in a decade as in the one below, and 0 and 1. `signed`: 1 step in the
 * lowest decade to 64 in the highest, with both signs; else 2 to 128. These are the 256 numbers of bitsandbytes'
 * `create_dynamic_map` (Dettmers et al., arXiv:2110.02861, section 2.2).
 */
export interface ByteCode {
  readonly isSigned: boolean;
  /** Value by byte: 0 is 0, then upward; with signs `256 - byte` is the negative of `byte`. */
  readonly values: Float32Array;
  /** Smallest magnitude of each decade but the lowest: halfway between its lowest value and the one below. */
  readonly starts: readonly number[];
  /** Below it a magnitude is 0; from `one` on it is 1. */
  readonly least: number;
  readonly one: number;
}

export const SIGNED_CODE = byteCode(true);
export const UNSIGNED_CODE = byteCode(false);

function byteCode(isSigned: boolean): ByteCode {
  const positive: number[] = [];
  const starts: number[] = [];
  for (let decade = 0; decade < DECADES; decade++) {
    const count = stepsOf(decade, isSigned);
    for (let step = 0; step < count; step++) {
      const middle = LOW + ((HIGH - LOW) * (step + 0.5)) / count;
      const value = middle * 10 ** (decade - DECADES + 1);
      if (step === 0 && decade > 0) starts.push((positive.at(-1)! + value) / 2);
      positive.push(value);
    }
  }
  const values = new Float32Array(256);
  values.set([...positive, 1], 1);
  if (isSigned) for (const [index, value] of positive.entries()) values[255 - index] = -value;
  return { isSigned, values, starts, least: positive[0]! / 2, one: (positive.at(-1)! + 1) / 2 };
}

function stepsOf(decade: number, isSigned: boolean): number {
  return 2 ** (isSigned ? decade : decade + 1);
}

/** Blocks of so many values. */
export function blockCount(size: number): number {
  return Math.ceil(size / BLOCK);
}

/** Numbers that hold the codes of so many blocks. */
export function codeNumbers(blocks: number): number {
  return Math.ceil((blocks * BLOCK) / CODES_PER_NUMBER);
}

/** Each value's nearest code, and each block's largest magnitude: `codes [numbers]`, `scale [blocks]`. */
export interface Quantised {
  readonly codes: Tensor;
  readonly scale: Tensor;
}

/**
 * Takes values of any shape to codes, three in a number: the flat bytes are cut into three parts, of which the first
 * counts 1, the second 256 and the third 65536. The last block is filled up with zeros. In the caller's tidy.
 */
export function quantise(x: Tensor, code: ByteCode): Quantised {
  const blocks = blockCount(x.size);
  const flat = tf.pad(tf.reshape(x, [x.size]), [[0, blocks * BLOCK - x.size]]);
  const rows = tf.reshape(flat, [blocks, BLOCK]);
  const scale = tf.max(tf.abs(rows), 1);
  const codes = tf.tidy(() => {
    const shares = tf.div(rows, tf.reshape(tf.where(tf.greater(scale, 0), scale, tf.onesLike(scale)), [blocks, 1]));
    return packed(tf.reshape(bytes(shares, code), [blocks * BLOCK]), codeNumbers(blocks));
  });
  return { codes, scale };
}

/** The values of codes, in this shape. In the caller's tidy. */
export function dequantise({ codes, scale }: Quantised, shape: readonly number[], code: ByteCode): Tensor {
  const size = tf.util.sizeFromShape([...shape]);
  const blocks = blockCount(size);
  return tf.tidy(() => {
    const index = tf.cast(tf.slice(unpacked(codes), [0], [blocks * BLOCK]), "int32");
    const shares = tf.reshape(tf.gather(tf.tensor1d(code.values), index as tf.Tensor1D), [blocks, BLOCK]);
    const values = tf.mul(shares, tf.reshape(scale, [blocks, 1]));
    return tf.reshape(tf.slice(tf.reshape(values, [blocks * BLOCK]), [0], [size]), [...shape]);
  });
}

/** The nearest byte of each share, in -1 to 1, as float32. */
function bytes(shares: Tensor, { isSigned, starts, least, one }: ByteCode): Tensor {
  const size = tf.abs(shares);
  const decade = tf.tidy(() =>
    tf.cast(
      starts
        .map((start) => tf.cast(tf.greaterEqual(size, start), "int32"))
        .reduce<Tensor>((sum, isAbove) => tf.add(sum, isAbove), tf.zerosLike(tf.cast(size, "int32"))),
      "int32",
    ),
  );
  const decades = Array.from({ length: DECADES }, (_, index) => index);
  const counts = decades.map((index) => stepsOf(index, isSigned));
  const of = (values: readonly number[]): Tensor =>
    tf.gather(tf.tensor1d([...values], "float32"), decade as tf.Tensor1D);
  const magnitude = tf.tidy(() => {
    const unit = tf.mul(size, of(decades.map((index) => 10 ** (DECADES - 1 - index))));
    const steps = of(counts);
    const step = tf.floor(tf.mul(tf.mul(tf.sub(unit, LOW), 1 / (HIGH - LOW)), steps));
    const inside = tf.maximum(tf.minimum(step, tf.sub(steps, 1)), 0);
    // The bytes below a decade: all steps of lower ones, and 0
    return tf.add(inside, of(counts.map((_, index) => 1 + counts.slice(0, index).reduce((sum, one) => sum + one, 0))));
  });
  const top = isSigned ? 128 : 255;
  const isOne = tf.greaterEqual(shares, one);
  const byte = tf.where(isOne, tf.fill(size.shape, top), magnitude);
  const signed = isSigned ? tf.where(tf.less(shares, 0), tf.sub(256, byte), byte) : byte;
  return tf.where(tf.less(size, least), tf.zerosLike(signed), signed);
}

function packed(codes: Tensor, numbers: number): Tensor {
  const whole = tf.pad(codes, [[0, CODES_PER_NUMBER * numbers - codes.size]]);
  const [first, second, third] = tf.split(whole, CODES_PER_NUMBER) as [Tensor, Tensor, Tensor];
  return tf.add(tf.add(first, tf.mul(second, 256)), tf.mul(third, 65536));
}

function unpacked(numbers: Tensor): Tensor {
  const third = tf.floor(tf.div(numbers, 65536));
  const rest = tf.sub(numbers, tf.mul(third, 65536));
  const second = tf.floor(tf.div(rest, 256));
  return tf.concat([tf.sub(rest, tf.mul(second, 256)), second, third], 0);
}
