import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { TracedProducts } from "../bfloat16/products.js";
import type { ConstantCache } from "../engine/constant-cache.js";
import { FLAGS_KERNELS } from "./flags.js";
import { hasFused, nothing, runFusedOne } from "./fused.js";
import type { Kernels } from "./kernels.js";

/** Numbers of TensorFlow's types (tensorflow/core/framework/types.proto). */
const [FLOAT32, INT32] = [1, 3];

interface TensorFlowBackend {
  readonly isUsingGpuDevice: boolean;
  readonly binding: { readonly TF_ATTR_TYPE: number; readonly TF_ATTR_BOOL: number };
  executeSingleOutput(
    name: string,
    attributes: readonly { readonly name: string; readonly type: number; readonly value: unknown }[],
    inputs: readonly Tensor[],
  ): Tensor;
}

/**
 * Kernels of TensorFlow's own backend, native or GPU, where every operation has a price: those that it can run as fewer
 * ones.
 */
export function tensorflowKernels(constants: ConstantCache, bfloat16: TracedProducts | undefined): Kernels {
  const { isUsingGpuDevice } = tf.backend() as unknown as TensorFlowBackend;
  return {
    ...FLAGS_KERNELS,
    ...(bfloat16 === undefined
      ? {}
      : {
          ...(bfloat16.attention && { wholeAttention: bfloat16.attention }),
          // Sums over rows, in batches or as gradients of what trains, are not rounded.
          product: (a: Tensor, b: Tensor, transposeA = false, transposeB = false) =>
            a.shape.length > 2 || transposeA
              ? bfloat16.wide(a, b, transposeA, transposeB)
              : bfloat16.rounded(a, b, transposeB),
          timesWeight: (rows: Tensor2D, weight: Tensor2D, _: boolean, bias?: Tensor1D) => {
            const product = bfloat16.rounded(rows, weight, true) as Tensor2D;
            return bias === undefined ? product : tf.add(product, bias);
          },
        }),
    rowMean: (x) => rowMean(constants, x),
    // Its roll takes a GPU 0.3 ms where 40 MB move, ten times what they take: 19 ms of a step at a billion weights
    // (docs/performance.md).
    ...(isUsingGpuDevice ? {} : { rotateHalf: (x: Tensor, inverse: boolean) => rotateHalf(constants, x, inverse) }),
    ...(hasFused("ThawProduct") ? ownProducts(constants) : {}),
  };
}

/** Products by Thaw's kernel, which adds a bias or a matrix on the way. */
function ownProducts(constants: ConstantCache): Pick<Kernels, "product" | "timesWeight" | "productPlus"> {
  const product = (
    a: Tensor,
    b: Tensor,
    transposeA: boolean,
    transposeB: boolean,
    bias: Tensor = nothing(constants),
    addend: Tensor = nothing(constants),
  ): Tensor => runFusedOne("ThawProduct", { a, b, bias, addend }, { transpose_a: transposeA, transpose_b: transposeB });
  return {
    productPlus: (a, b, addend) => product(a, b, false, false, undefined, addend),
    product: (a, b, transposeA = false, transposeB = false) =>
      a.shape.length === 2
        ? product(a, b, transposeA, transposeB)
        : FLAGS_KERNELS.product(a, b, transposeA, transposeB),
    timesWeight: (rows, weight, _, bias) =>
      product(rows, weight, false, true, bias as Tensor1D | undefined) as Tensor2D,
  };
}

/**
 * Two operations, where slices, sign and concatenation are four: the halves change places, then one of them its sign.
 */
function rotateHalf(constants: ConstantCache, x: Tensor, inverse: boolean): Tensor {
  const backend = tf.backend() as unknown as TensorFlowBackend;
  const type = typeOf(backend);
  const depth = x.shape.at(-1) as number;
  const half = depth / 2;
  const swapped = backend.executeSingleOutput(
    "Roll",
    [type("T", FLOAT32), type("Tshift", INT32), type("Taxis", INT32)],
    [x, integer(constants, half), integer(constants, x.shape.length - 1)],
  );
  const signs = constants.tensor(`signs ${depth} ${String(inverse)}`, () =>
    tf.tensor1d(Float32Array.from({ length: depth }, (_, index) => (index < half === inverse ? 1 : -1))),
  );
  return tf.mul(swapped, signs);
}

/** Without the cast, the axis' upload and the reshape that TensorFlow.js puts around it. */
function rowMean(constants: ConstantCache, x: Tensor): Tensor {
  const backend = tf.backend() as unknown as TensorFlowBackend;
  const type = typeOf(backend);
  const attributes = [
    { name: "keep_dims", type: backend.binding.TF_ATTR_BOOL, value: true },
    type("T", FLOAT32),
    type("Tidx", INT32),
  ];
  return backend.executeSingleOutput("Mean", attributes, [x, integer(constants, x.shape.length - 1)]);
}

function integer(constants: ConstantCache, value: number): Tensor {
  return constants.tensor(`int32 ${value}`, () => tf.scalar(value, "int32"));
}

function typeOf({
  binding,
}: TensorFlowBackend): (
  name: string,
  value: number,
) => { readonly name: string; readonly type: number; readonly value: number } {
  return (name, value) => ({ name, type: binding.TF_ATTR_TYPE, value });
}
