import type { DataId, Tensor, Tensor2D, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { FLOAT32, INT32, Operations, type TensorFlowBackend } from "../bfloat16/operations.js";
import { sizeOf } from "../kernels/broadcast.js";
import { asFunction } from "../kernels/functions.js";
import { hasFused, runFusedOne } from "../kernels/fused.js";
import { dequantize } from "./dequantize.js";
import { blockCount, type QuantizedLayout, type Section, sectionsOf } from "./layout.js";

/**
 * A frozen matrix in 4 or 8 bits on the device: one row of words, float32 by name only, that nothing else may compute
 * with.
 */
export interface QuantizedMatrix {
  readonly words: Tensor;
  readonly layout: QuantizedLayout;
}

const KERNEL_NAME = "ThawDequantize";
/** How far the numbers of a word are to be shifted, in order: up for bytes with a sign, down for halves of bytes. */
const [BYTES_UP, HALVES_DOWN] = [
  [24, 16, 8, 0],
  [4, 0, 12, 8, 20, 16, 28, 24],
];
const BYTE = { shifts: [0, 8, 16, 24], mask: 255 };
const HALF = { shifts: HALVES_DOWN, mask: 15 };

/** What this uses of the backends `cpu` and `wasm` of TensorFlow.js 4.22. */
interface HostBackend {
  readSync(dataId: DataId): Float32Array<ArrayBuffer>;
  makeTensorInfo?(shape: number[], dtype: "float32", values: Float32Array): TensorInfo;
  makeOutput?(shape: number[], dtype: "float32"): TensorInfo;
  typedArrayFromHeap?(info: TensorInfo): Float32Array<ArrayBuffer>;
}

/**
 * The numbers that a matrix stands for, `[rows, columns]`, float32, made anew; belongs to the tidy around. On a card by
 * TensorFlow's operations: in a function (`isTraced`) the compiler joins them with what reads them, and elsewhere they
 * are a function of their own. On other backends in one pass: by Thaw's kernel where it is there, else by JavaScript
 * over the backend's own memory.
 */
export function dequantized({ words, layout }: QuantizedMatrix, isTraced: boolean): Tensor2D {
  const backendName = tf.getBackend();
  if (backendName === "tensorflow") {
    if (hasFused(KERNEL_NAME)) return byKernel(words, layout);
    const operations = new Operations(tf.backend() as unknown as TensorFlowBackend);
    if (isTraced) return byOperations(operations, words, layout);
    const run = ([given]: readonly Tensor[]): readonly Tensor[] => [byOperations(operations, given!, layout)];
    return asFunction(`dequantize ${JSON.stringify(layout)}`, [words], run)[0] as Tensor2D;
  }
  if (tf.getKernel(KERNEL_NAME, backendName) === undefined)
    tf.registerKernel({ kernelName: KERNEL_NAME, backendName, kernelFunc: onHost as unknown as tf.KernelFunc });
  return tf.engine().runKernel(KERNEL_NAME, { words }, layout as unknown as tf.NamedAttrMap) as Tensor2D;
}

function byKernel(words: Tensor, { shape: [rows, columns], bits, block, nestedBlock = 0 }: QuantizedLayout): Tensor2D {
  const attributes = { rows, columns, bits, block, nested_block: nestedBlock };
  return runFusedOne(KERNEL_NAME, { words }, attributes) as Tensor2D;
}

function onHost({
  inputs: { words },
  backend,
  attrs,
}: {
  inputs: { words: TensorInfo };
  backend: HostBackend;
  attrs: QuantizedLayout;
}): TensorInfo {
  const shape = [...attrs.shape];
  if (backend.makeOutput === undefined || backend.typedArrayFromHeap === undefined)
    return backend.makeTensorInfo!(
      shape,
      "float32",
      dequantize({ words: backend.readSync(words.dataId), layout: attrs }),
    );
  // Memory may move while an output is made, so that both are looked up behind that.
  const output = backend.makeOutput(shape, "float32");
  dequantize({ words: backend.typedArrayFromHeap(words), layout: attrs }, backend.typedArrayFromHeap(output));
  return output;
}

/** The same by operations that TensorFlow's kernels and XLA have. */
export function byOperations(operations: Operations, words: Tensor, layout: QuantizedLayout): Tensor2D {
  return tf.tidy(() => {
    const { codes, table, scales, nested } = sectionsOf(layout);
    const cut = ({ begin, words: size }: Section): Tensor => tf.slice(words, begin, size);
    const blocks = blockCount(layout);
    const values =
      layout.bits === 8
        ? signedBytes(operations, cut(codes))
        : lookUp(operations, cut(codes), numbersOfHalves(words, table.begin), HALF);
    const ofBlocks =
      nested === undefined
        ? cut(scales)
        : tf.tidy(() => {
            const expanded = times(
              lookUp(operations, cut(scales), cut(nested.table), BYTE),
              cut(nested.scales),
              layout.nestedBlock!,
            );
            return tf.add(first(expanded, blocks), cut(nested.offset));
          });
    return tf.reshape(first(times(values, ofBlocks, layout.block), sizeOf(layout.shape)), [
      ...layout.shape,
    ]) as Tensor2D;
  });
}

/** What the 16 halves of a byte stand for: the second numbers of the first 16 pairs. */
function numbersOfHalves(words: Tensor, begin: number): Tensor {
  return tf.tidy(() => tf.reshape(tf.slice(tf.reshape(tf.slice(words, begin, 32), [16, 2]), [0, 1], [16, 1]), [16]));
}

/** What each code in the words stands for, in order: `mask` is the largest code. */
function lookUp(
  operations: Operations,
  words: Tensor,
  table: Tensor,
  { shifts, mask }: { readonly shifts: readonly number[]; readonly mask: number },
): Tensor {
  return tf.tidy(() => {
    const shifted = shift(operations, "RightShift", bitsOf(operations, words), shifts);
    const codes = integers(operations, "BitwiseAnd", shifted, tf.scalar(mask, "int32"));
    shifted.dispose();
    return tf.gather(table, tf.reshape(codes, [codes.size]));
  });
}

/** The bytes of the words in order, as whole numbers with a sign. */
function signedBytes(operations: Operations, words: Tensor): Tensor {
  return tf.tidy(() => {
    const up = shift(operations, "LeftShift", bitsOf(operations, words), BYTES_UP);
    const bytes = shift(operations, "RightShift", up, [24]);
    up.dispose();
    return tf.cast(tf.reshape(bytes, [bytes.size]), "float32");
  });
}

function bitsOf(operations: Operations, words: Tensor): Tensor {
  return tf.reshape(operations.tensor(operations.bitcast(operations.idsOf(words)[0]!, FLOAT32, INT32)), [
    words.size,
    1,
  ]);
}

/** Each row of the bits, shifted so far each time; what has a sign keeps it. */
function shift(operations: Operations, name: string, bits: Tensor, by: readonly number[]): Tensor {
  return integers(operations, name, bits, tf.tensor2d([...by], [1, by.length], "int32"));
}

function integers(operations: Operations, name: string, a: Tensor, b: Tensor): Tensor {
  return operations.tensor(operations.run(name, [operations.type("T", INT32)], operations.idsOf(a, b)));
}

/** The first values, each stretch of `block` times its scale. */
function times(values: Tensor, scales: Tensor, block: number): Tensor {
  const rows = tf.reshape(first(values, scales.size * block), [scales.size, block]);
  return tf.reshape(tf.mul(rows, tf.reshape(scales, [scales.size, 1])), [scales.size * block]);
}

function first(values: Tensor, count: number): Tensor {
  return values.size === count ? values : tf.slice(values, 0, count);
}
