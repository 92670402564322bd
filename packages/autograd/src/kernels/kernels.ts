import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs-core";
import type { TensorFunctions } from "./functions.js";
import type { WholeAttention } from "../bfloat16/whole-attention.js";

/**
 * How matrix products are made. `flags`: transpose flags are free (native, GPU, cpu). `plain2d`: TensorFlow.js has only
 * plain 2-D products at full speed (WASM), so this package's SIMD kernel does the others; where that cannot load,
 * frozen weights keep a transposed copy, batched products become loops, and other operands are transposed first.
 */
export type MatmulStrategy = "flags" | "plain2d";

/**
 * What ops do differently from one kind of backend to the other. All take and return raw tensors and are called inside
 * a `tf.tidy`.
 */
export interface Kernels {
  readonly strategy: MatmulStrategy;
  /** Makes one function of many operations; absent where the backend cannot. */
  readonly functions?: TensorFunctions | undefined;
  /** True where operations are run to make a function of them. */
  readonly isTraced?: boolean;
  /** Attention that never writes its scores; only where {@link isTraced}, in bfloat16. */
  readonly wholeAttention?: WholeAttention;
  /** Upper bound for the logits that a cross entropy holds at a time, in bytes. */
  readonly logitsBytes: number;
  /** `op(a) op(b)` over the last two axes, `op` the transpose where asked; leading axes are equal. */
  product(a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean): Tensor;
  /**
   * `rows [n, in]` times the transpose of `weight [out, in]`, plus `bias [out]`. `isFrozen`: the weight may keep a copy
   * in another layout.
   */
  timesWeight(rows: Tensor2D, weight: Tensor2D, isFrozen: boolean, bias?: Tensor1D): Tensor2D;
  /** `a b + addend` of matrices; present where that costs no more than the product alone. */
  readonly productPlus?: (a: Tensor, b: Tensor, addend: Tensor) => Tensor;
  /**
   * True if attention runs head by head, given the multiplications of one head's product and the bytes of all heads'
   * scores.
   */
  loopsOverHeads(multiplications: number, scoreBytes: number): boolean;
  /** Sum over rows: `[n, columns]` to `[columns]`. */
  columnSum(rows: Tensor2D): Tensor;
  /** Mean over the last axis, which stays as one: `[..., n]` to `[..., 1]`. */
  rowMean(x: Tensor): Tensor;
  /** Rows by index: `x [rows, columns]` to `[ids, columns]`. */
  gatherRows(x: Tensor, ids: Int32Array): Tensor;
  /** The box of `size` at `begin`; sizes are resolved. */
  box(x: Tensor, begin: readonly number[], size: readonly number[]): Tensor;
  /** `[-second half, first half]` of the last axis, or with `inverse` `[second half, -first half]`. */
  rotateHalf(x: Tensor, inverse: boolean): Tensor;
  tanh(x: Tensor): Tensor;
  /** A second handle on the same data, without a copy. */
  share(x: Tensor): Tensor;
}

/** Transposes the last two axes. */
export function turned(x: Tensor): Tensor {
  const rank = x.shape.length;
  const order = x.shape.map((_, axis) => axis);
  order[rank - 2] = rank - 1;
  order[rank - 1] = rank - 2;
  return tf.transpose(x, order);
}
