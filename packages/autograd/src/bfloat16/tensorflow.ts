import { sizeOf } from "../kernels/broadcast.js";
import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { PackedInput } from "../kernels/functions.js";
import type { Bfloat16Products, PackedMatrix, TracedProducts } from "./products.js";

/** Numbers of TensorFlow's types (tensorflow/core/framework/types.proto). */
const [FLOAT32, INT32, BFLOAT16] = [1, 3, 14];

interface OpAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}
interface OpResult {
  readonly id: number;
  readonly shape: number[];
  readonly dtype: number;
}

/** What this needs of the backend that `@tensorflow/tfjs-node` registers. */
interface TensorFlowBackend {
  readonly binding: {
    readonly TF_ATTR_TYPE: number;
    readonly TF_ATTR_BOOL: number;
    executeOp(name: string, attributes: readonly OpAttribute[], inputs: readonly number[], outputs: number): OpResult[];
    deleteTensor(id: number): void;
  };
  readonly tensorMap: { set(dataId: object, entry: object): void };
  getInputTensorIds(tensors: readonly Tensor[]): number[];
  createOutputTensor(result: OpResult): Tensor;
}

/** The current backend's, or null where it cannot run TensorFlow's operations by name. */
export function tensorflowBfloat16(): Bfloat16Products | null {
  const backend = tf.backend() as unknown as Partial<TensorFlowBackend>;
  if (
    typeof backend.binding?.executeOp !== "function" ||
    typeof backend.getInputTensorIds !== "function" ||
    typeof backend.createOutputTensor !== "function"
  )
    return null;
  return new TensorFlowBfloat16(backend as TensorFlowBackend);
}

/**
 * Casts and products in bfloat16 by TensorFlow's own operations. A bfloat16 result becomes a tensor of float32 words,
 * half as many, so that the engine counts its bytes and a tidy frees it.
 */
class TensorFlowBfloat16 implements TracedProducts {
  readonly #backend: TensorFlowBackend;
  /** Matrices seen as bfloat16: handles on the words' own bytes, by words. */
  readonly #views: Map<Tensor, number>;
  readonly #isTraced: boolean;
  /** The last operand that was rounded: layers that share their input (queries, keys, values) round it once. */
  #last: { readonly source: Tensor; readonly rounded: Tensor } | undefined;

  constructor(backend: TensorFlowBackend, views = new Map<Tensor, number>(), isTraced = false) {
    this.#backend = backend;
    this.#views = views;
    this.#isTraced = isTraced;
  }

  timesTransposed(x: Tensor, matrix: PackedMatrix): Tensor2D {
    return this.#product(x, matrix, true);
  }

  times(x: Tensor, matrix: PackedMatrix): Tensor2D {
    return this.#product(x, matrix, false);
  }

  traced(): TracedProducts {
    return new TensorFlowBfloat16(this.#backend, this.#views, true);
  }

  batched(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor {
    const operands = this.#idsOf(a, b).map((id) => this.#cast(id, FLOAT32, BFLOAT16).id);
    const product = this.#wideProduct(operands, transposeA, transposeB);
    for (const id of operands) this.#backend.binding.deleteTensor(id);
    return product;
  }

  widen(words: Tensor): Tensor {
    const shape = [...words.shape.slice(0, -1), 2 * (words.shape.at(-1) as number)];
    const bits = this.#run("Bitcast", [this.#type("T", FLOAT32), this.#type("type", BFLOAT16)], this.#idsOf(words));
    const wide = this.#backend.createOutputTensor(this.#cast(bits.id, BFLOAT16, FLOAT32));
    this.#backend.binding.deleteTensor(bits.id);
    return tf.reshape(wide, shape);
  }

  handle({ words, shape }: PackedMatrix): PackedInput {
    return { id: this.#view(words, shape), shape, dtype: "bfloat16" };
  }

  forget(words: Tensor): void {
    const view = this.#views.get(words);
    if (view === undefined) return;
    this.#views.delete(words);
    this.#backend.binding.deleteTensor(view);
  }

  endPass(): void {
    this.#last?.rounded.dispose();
    this.#last = undefined;
  }

  #product(x: Tensor, { words, shape }: PackedMatrix, transpose: boolean): Tensor2D {
    const inner = shape[transpose ? 1 : 0];
    if (this.#isTraced)
      return this.#wideProduct(
        [...this.#idsOf(this.#round(x, inner)), this.#view(words, shape)],
        false,
        transpose,
      ) as Tensor2D;
    const { TF_ATTR_BOOL: type } = this.#backend.binding;
    const attributes = [
      { name: "transpose_a", type, value: false },
      { name: "transpose_b", type, value: transpose },
      this.#type("T", BFLOAT16),
    ];
    const product = this.#run("MatMul", attributes, [...this.#idsOf(this.#round(x, inner)), this.#view(words, shape)]);
    const seen = this.#adopt(product);
    const wide = this.#backend.createOutputTensor(this.#cast(product.id, BFLOAT16, FLOAT32)) as Tensor2D;
    seen.dispose();
    return wide;
  }

  /** A product whose result is not rounded: compilers have it, TensorFlow's own kernels do not. */
  #wideProduct(operands: readonly number[], transposeA: boolean, transposeB: boolean): Tensor {
    const { TF_ATTR_BOOL: type } = this.#backend.binding;
    const attributes = [
      { name: "adj_x", type, value: transposeA },
      { name: "adj_y", type, value: transposeB },
      this.#type("Ta", BFLOAT16),
      this.#type("Tb", BFLOAT16),
      this.#type("Tout", FLOAT32),
    ];
    return this.#backend.createOutputTensor(this.#run("BatchMatMulV3", attributes, operands));
  }

  /** `x` in bfloat16, `[n, inner]`. Kept until another one is rounded or the pass ends. */
  #round(x: Tensor, inner: number): Tensor {
    if (this.#last?.source === x && !this.#last.rounded.isDisposed) return this.#last.rounded;
    this.endPass();
    const rows = x.shape.length === 2 ? x : tf.reshape(x, [x.size / inner, inner]);
    const rounded = tf.keep(this.#adopt(this.#cast(this.#idsOf(rows)[0] as number, FLOAT32, BFLOAT16)));
    this.#last = { source: x, rounded };
    return rounded;
  }

  #view(words: Tensor, shape: readonly [number, number]): number {
    const known = this.#views.get(words);
    if (known !== undefined) return known;
    const bits = this.#run("Bitcast", [this.#type("T", FLOAT32), this.#type("type", BFLOAT16)], this.#idsOf(words));
    const size = tf.tensor1d([...shape], "int32");
    const view = this.#run(
      "Reshape",
      [this.#type("T", BFLOAT16), this.#type("Tshape", INT32)],
      [bits.id, ...this.#idsOf(size)],
    );
    size.dispose();
    this.#backend.binding.deleteTensor(bits.id);
    this.#views.set(words, view.id);
    return view.id;
  }

  /** A bfloat16 result as a tensor of the engine: half as many words. An odd count is rounded up. */
  #adopt({ id, shape }: OpResult): Tensor {
    const dataId = {};
    this.#backend.tensorMap.set(dataId, { shape, dtype: BFLOAT16, id, values: null, refCount: 1 });
    const count = sizeOf(shape);
    return tf.engine().makeTensorFromTensorInfo({ dataId, shape: [Math.ceil(count / 2)], dtype: "float32" });
  }

  #cast(id: number, from: number, to: number): OpResult {
    return this.#run(
      "Cast",
      [
        this.#type("SrcT", from),
        this.#type("DstT", to),
        { name: "Truncate", type: this.#backend.binding.TF_ATTR_BOOL, value: false },
      ],
      [id],
    );
  }

  #run(name: string, attributes: readonly OpAttribute[], inputs: readonly number[]): OpResult {
    return this.#backend.binding.executeOp(name, attributes, inputs, 1)[0] as OpResult;
  }

  #type(name: string, value: number): OpAttribute {
    return { name, type: this.#backend.binding.TF_ATTR_TYPE, value };
  }

  #idsOf(...tensors: readonly Tensor[]): number[] {
    return this.#backend.getInputTensorIds(tensors);
  }
}
