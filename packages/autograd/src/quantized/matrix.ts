import type { DataId, Tensor, Tensor2D, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { FLOAT32, INT32, Operations, type TensorFlowBackend } from "../bfloat16/operations.js";
import { sizeOf } from "../kernels/broadcast.js";
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
/** Where in a word its bytes begin. */
const BYTE_SHIFTS = [0, 8, 16, 24];

/** What this uses of the backends `cpu` and `wasm` of TensorFlow.js 4.22. */
interface HostBackend {
  readSync(dataId: DataId): Float32Array<ArrayBuffer>;
  makeTensorInfo?(shape: number[], dtype: "float32", values: Float32Array): TensorInfo;
  makeOutput?(shape: number[], dtype: "float32"): TensorInfo;
  typedArrayFromHeap?(info: TensorInfo): Float32Array<ArrayBuffer>;
}

/**
 * The numbers that a matrix stands for, `[rows, columns]`, float32, made anew; belongs to the tidy around. On a card by
 * TensorFlow's operations, which a compiler joins with what reads them; elsewhere in one pass: by Thaw's kernel where
 * it is there, else by JavaScript over the backend's own memory.
 */
export function dequantized({ words, layout }: QuantizedMatrix): Tensor2D {
  if (tf.getBackend() === "tensorflow")
    return hasFused("ThawDequantize")
      ? byKernel(words, layout)
      : byOperations(new Operations(tf.backend() as unknown as TensorFlowBackend), words, layout);
  const backendName = tf.getBackend();
  if (tf.getKernel(KERNEL_NAME, backendName) === undefined)
    tf.registerKernel({ kernelName: KERNEL_NAME, backendName, kernelFunc: onHost as unknown as tf.KernelFunc });
  return tf.engine().runKernel(KERNEL_NAME, { words }, layout as unknown as tf.NamedAttrMap) as Tensor2D;
}

function byKernel(words: Tensor, { shape: [rows, columns], bits, block, nestedBlock = 0 }: QuantizedLayout): Tensor2D {
  const attributes = { rows, columns, bits, block, nested_block: nestedBlock };
  return runFusedOne("ThawDequantize", { words }, attributes) as Tensor2D;
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
    const values = lookUp(operations, cut(codes), cut(table));
    const ofBlocks =
      nested === undefined
        ? cut(scales)
        : tf.tidy(() => {
            const expanded = times(
              lookUp(operations, cut(scales), cut(nested.table)),
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

/** What each byte of the words stands for, in order: one number, or two. */
function lookUp(operations: Operations, words: Tensor, table: Tensor): Tensor {
  return tf.tidy(() => {
    const bits = operations.tensor(operations.bitcast(operations.idsOf(words)[0]!, FLOAT32, INT32));
    const column = tf.reshape(bits, [words.size, 1]);
    const integers = (name: string, a: Tensor, b: Tensor): Tensor =>
      operations.tensor(operations.run(name, [operations.type("T", INT32)], operations.idsOf(a, b)));
    const shifted = integers("RightShift", column, tf.tensor2d(BYTE_SHIFTS, [1, BYTE_SHIFTS.length], "int32"));
    const bytes = integers("BitwiseAnd", shifted, tf.scalar(255, "int32"));
    const found = tf.gather(tf.reshape(table, [256, table.size / 256]), tf.reshape(bytes, [bytes.size]));
    return tf.reshape(found, [found.size]);
  });
}

/** The first values, each stretch of `block` times its scale. */
function times(values: Tensor, scales: Tensor, block: number): Tensor {
  const rows = tf.reshape(first(values, scales.size * block), [scales.size, block]);
  return tf.reshape(tf.mul(rows, tf.reshape(scales, [scales.size, 1])), [scales.size * block]);
}

function first(values: Tensor, count: number): Tensor {
  return values.size === count ? values : tf.slice(values, 0, count);
}
