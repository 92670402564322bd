import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { WholeAttention } from "./whole-attention.js";
import type { PackedInput } from "../kernels/functions.js";
import { CudnnAttention } from "./cudnn-attention.js";
import { BFLOAT16, FLOAT32, Operations, type TensorFlowBackend } from "./operations.js";
import type { Bfloat16Products, PackedMatrix, TracedProducts } from "./products.js";

/** The current backend's, or null where it cannot run TensorFlow's operations by name. */
export function tensorflowBfloat16(): Bfloat16Products | null {
  const backend = tf.backend() as unknown as Partial<TensorFlowBackend>;
  if (
    typeof backend.binding?.executeOp !== "function" ||
    typeof backend.getInputTensorIds !== "function" ||
    typeof backend.createOutputTensor !== "function"
  )
    return null;
  return new TensorFlowBfloat16(new Operations(backend as TensorFlowBackend));
}

/**
 * Casts and products in bfloat16 by TensorFlow's own operations. A bfloat16 result becomes a tensor of float32 words,
 * half as many, so that the engine counts its bytes and a tidy frees it.
 */
class TensorFlowBfloat16 implements Bfloat16Products {
  readonly operations: Operations;
  /** Matrices seen as bfloat16: handles on the words' own bytes, by words. */
  readonly #views: Map<Tensor, number>;
  /** The last operand that was rounded: layers that share their input (queries, keys, values) round it once. */
  #last: { readonly source: Tensor; readonly rounded: Tensor } | undefined;

  constructor(operations: Operations, views = new Map<Tensor, number>()) {
    this.operations = operations;
    this.#views = views;
  }

  timesTransposed(x: Tensor, matrix: PackedMatrix): Tensor2D {
    return this.product(x, matrix, true);
  }

  times(x: Tensor, matrix: PackedMatrix): Tensor2D {
    return this.product(x, matrix, false);
  }

  traced(options: { readonly hasAttention?: boolean } = {}): TracedProducts {
    return new TracedBfloat16(this.operations, this.#views, options.hasAttention !== false);
  }

  widen(words: Tensor): Tensor {
    const { operations } = this;
    const shape = [...words.shape.slice(0, -1), 2 * (words.shape.at(-1) as number)];
    const bits = operations.bitcast(operations.idsOf(words)[0]!, FLOAT32, BFLOAT16);
    const wide = operations.tensor(operations.cast(bits.id, BFLOAT16, FLOAT32));
    operations.delete(bits.id);
    return tf.reshape(wide, shape);
  }

  narrowRows(x: Tensor): Tensor {
    const { operations } = this;
    return operations.adopt(operations.cast(operations.idsOf(x)[0]!, FLOAT32, BFLOAT16));
  }

  // TensorFlow's tensor of such words is one of bfloat16, in its own shape.
  widenRows(words: Tensor): Tensor {
    const { operations } = this;
    return operations.tensor(operations.cast(operations.idsOf(words)[0]!, BFLOAT16, FLOAT32));
  }

  handle({ words, shape }: PackedMatrix): PackedInput {
    return { id: this.view(words, shape), shape, dtype: "bfloat16" };
  }

  forget(words: Tensor): void {
    const view = this.#views.get(words);
    if (view === undefined) return;
    this.#views.delete(words);
    this.operations.delete(view);
  }

  endPass(): void {
    this.#last?.rounded.dispose();
    this.#last = undefined;
  }

  protected product(x: Tensor, { words, shape }: PackedMatrix, transpose: boolean): Tensor2D {
    return this.multiply(x, this.view(words, shape), shape[transpose ? 1 : 0], transpose);
  }

  /** `x [..., inner]` times a matrix in bfloat16, which is known by its number. */
  protected multiply(x: Tensor, matrix: number, inner: number, transpose: boolean): Tensor2D {
    const { operations } = this;
    const attributes = [
      operations.flag("transpose_a", false),
      operations.flag("transpose_b", transpose),
      operations.type("T", BFLOAT16),
    ];
    const product = operations.run("MatMul", attributes, [...operations.idsOf(this.round(x, inner)), matrix]);
    const seen = operations.adopt(product);
    const wide = operations.tensor(operations.cast(product.id, BFLOAT16, FLOAT32)) as Tensor2D;
    seen.dispose();
    return wide;
  }

  /** `x` in bfloat16, `[n, inner]`. Kept until another one is rounded or the pass ends. */
  protected round(x: Tensor, inner: number): Tensor {
    const { operations } = this;
    if (this.#last?.source === x && !this.#last.rounded.isDisposed) return this.#last.rounded;
    this.endPass();
    const rows = x.shape.length === 2 ? x : tf.reshape(x, [x.size / inner, inner]);
    const rounded = tf.keep(operations.adopt(operations.cast(operations.idsOf(rows)[0]!, FLOAT32, BFLOAT16)));
    this.#last = { source: x, rounded };
    return rounded;
  }

  protected view(words: Tensor, shape: readonly [number, number]): number {
    const { operations } = this;
    const known = this.#views.get(words);
    if (known !== undefined) return known;
    const bits = operations.bitcast(operations.idsOf(words)[0]!, FLOAT32, BFLOAT16);
    const view = operations.reshape(bits.id, BFLOAT16, shape);
    operations.delete(bits.id);
    this.#views.set(words, view.id);
    return view.id;
  }
}

/** The same for functions, with attention's own products, which a compiler has with sums and answers in float32. */
class TracedBfloat16 extends TensorFlowBfloat16 implements TracedProducts {
  readonly attention?: WholeAttention;

  constructor(operations: Operations, views: Map<Tensor, number>, hasAttention: boolean) {
    super(operations, views);
    if (hasAttention && operations.backend.isUsingGpuDevice) this.attention = new CudnnAttention(operations);
  }

  // A product whose result is not rounded: compilers have it, TensorFlow's own kernels do not.
  wide(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor {
    const { operations } = this;
    const operands = operations.idsOf(a, b).map((id) => operations.cast(id, FLOAT32, BFLOAT16).id);
    const attributes = [
      operations.flag("adj_x", transposeA),
      operations.flag("adj_y", transposeB),
      operations.type("Ta", BFLOAT16),
      operations.type("Tb", BFLOAT16),
      operations.type("Tout", FLOAT32),
    ];
    const product = operations.run("BatchMatMulV3", attributes, operands);
    operations.delete(...operands);
    return operations.tensor(product);
  }

  rounded(a: Tensor, b: Tensor, transposeB: boolean): Tensor {
    const matrix = this.operations.cast(this.operations.idsOf(b)[0]!, FLOAT32, BFLOAT16);
    const product = this.multiply(a, matrix.id, a.shape.at(-1)!, transposeB);
    this.operations.delete(matrix.id);
    return product;
  }
}
