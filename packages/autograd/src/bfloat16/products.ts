import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import type { PackedInput } from "../kernels/functions.js";
import type { WholeAttention } from "./whole-attention.js";

/**
 * A frozen matrix `[rows, columns]` kept in bfloat16. TensorFlow.js has no such type, so it sees the bytes as float32
 * words of two numbers each, `[rows, columns / 2]`, which counts and frees them right; nothing may compute with the
 * words.
 */
export interface PackedMatrix {
  /** `[rows, columns / 2]`, float32 by name only. */
  readonly words: Tensor;
  /** `[rows, columns]`; `columns` is even. */
  readonly shape: readonly [number, number];
}

/** True if a matrix of that shape can be packed. */
export function isPackable(shape: readonly number[]): boolean {
  return shape.length === 2 && (shape[1] as number) % 2 === 0 && (shape[1] as number) > 0;
}

/**
 * What a backend does with packed matrices. Products round their float32 operand to bfloat16, multiply with sums in
 * float32, round the result to bfloat16 and widen it. Called inside a `tf.tidy`; results belong to it.
 */
export interface Bfloat16Products {
  /** `x [..., columns]` times the transpose of `matrix [rows, columns]`, flattened: `[n, rows]`, float32. */
  timesTransposed(x: Tensor, matrix: PackedMatrix): Tensor2D;
  /** `x [..., rows]` times `matrix [rows, columns]`, flattened: `[n, columns]`, float32. */
  times(x: Tensor, matrix: PackedMatrix): Tensor2D;
  /** Widens words `[..., columns / 2]`, as they are in a packed matrix, to float32 `[..., columns]`, exactly. */
  widen(words: Tensor): Tensor;
  /** Rounds float32 `[..., columns]`, `columns` even, to the words that functions hand on. */
  narrowRows(x: Tensor): Tensor;
  /** Of such words the numbers in float32, in their shape. */
  widenRows(words: Tensor, shape: readonly number[]): Tensor;
  /** The matrix as functions read it. */
  handle(matrix: PackedMatrix): PackedInput;
  /** The same products inside of functions; `hasAttention: false` is without attention. */
  traced(options?: { readonly hasAttention?: boolean }): TracedProducts;
  /** Lets go of what is kept for a matrix, before its words are freed. */
  forget(words: Tensor): void;
  /** Lets go of what is kept of the last operand; called when a pass is over. */
  endPass(): void;
}

/** Products in bfloat16 of what is to become a function. */
export interface TracedProducts extends Bfloat16Products {
  /** Attention that never writes its scores, where the device may have it. */
  readonly attention?: WholeAttention;
  /**
   * `op(a) op(b)` over the last two axes, `op` the transpose where asked, of float32 that is rounded to bfloat16; the
   * result is not.
   */
  wide(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor;
  /** `a op(b)` of matrices, rounded before and after. */
  rounded(a: Tensor, b: Tensor, transposeB: boolean): Tensor;
}
