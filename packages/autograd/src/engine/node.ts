import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Bfloat16Products, PackedMatrix } from "../bfloat16/products.js";
import { valueFreed } from "../errors.js";
import { isNarrow, shapeOf, widened } from "./narrow.js";
import { dequantized, type QuantizedMatrix } from "../quantized/matrix.js";
import type { Value } from "./value.js";

/** Where a value's tensor comes from: a parameter and a constant are borrowed, the rest belongs to the tape. */
export type NodeKind = "parameter" | "constant" | "owned";

/**
 * The tape's own view of a `Value`. An owned node counts who still needs its tensor (the scope that made it, and every
 * record that saved it) and frees it when nobody does.
 */
export class ValueNode implements Value {
  /** The tape that it belongs to; `tapeOf` knows its type. */
  readonly tape: object;
  /** Rises with time of creation; tells what was made inside a checkpointed run. */
  readonly id: number;
  readonly kind: NodeKind;
  /** The op that made it, for messages. */
  readonly madeBy: string;
  readonly shape: readonly number[];
  readonly needsGradient: boolean;
  #tensor: Tensor | null;
  /** In float32, of a tensor in words that an op has asked for. */
  #wideCopy: Tensor | undefined;
  #holders = 0;

  constructor(
    tape: object,
    id: number,
    kind: NodeKind,
    madeBy: string,
    tensor: Tensor,
    needsGradient: boolean,
    shape: readonly number[] = shapeOf(tensor),
  ) {
    this.tape = tape;
    this.id = id;
    this.kind = kind;
    this.madeBy = madeBy;
    this.shape = shape;
    this.needsGradient = needsGradient;
    this.#tensor = tensor;
  }

  get tensor(): Tensor {
    const { held } = this;
    return isNarrow(held) ? (this.#wideCopy ??= tf.keep(tf.tidy(() => widened(held)))) : held;
  }

  /** The tensor as it is kept: words of bfloat16 where a function handed it on so. */
  get held(): Tensor {
    if (this.#tensor === null || this.#tensor.isDisposed) throw valueFreed(this.madeBy, this.shape);
    return this.#tensor;
  }

  /** Whether there is a float32 copy of words. */
  get hasWide(): boolean {
    return this.#wideCopy !== undefined;
  }

  /** Frees the float32 copy of words that reading `tensor` made, which is made again where it is read again. */
  forgetWide(): void {
    this.#wideCopy?.dispose();
    this.#wideCopy = undefined;
  }

  /** One more holder needs the tensor. */
  hold(): void {
    this.#holders += 1;
  }

  /** One holder less; the last one frees an owned tensor. */
  drop(): void {
    this.#holders -= 1;
    if (this.#holders <= 0 && this.kind === "owned") this.free();
  }

  /** Frees an owned tensor whoever holds it. */
  free(): void {
    this.forgetWide();
    if (this.kind !== "owned" || this.#tensor === null) return;
    this.#tensor.dispose();
    this.#tensor = null;
  }
}

/**
 * A frozen matrix that is kept in another form than float32. Ops that know of it never ask for its tensor; for others a
 * float32 copy is made that lives as long as the tape.
 */
export abstract class NarrowNode extends ValueNode {
  #wide: Tensor | undefined;

  constructor(tape: object, id: number, words: Tensor, shape: readonly number[]) {
    super(tape, id, "parameter", "parameter", words, false, shape);
  }

  override get tensor(): Tensor {
    this.#wide ??= tf.keep(tf.tidy(() => this.widened()));
    return this.#wide;
  }

  /** A float32 copy, which belongs to the tidy around. */
  abstract widened(): Tensor2D;

  /** Frees what is kept for it in a pass. */
  override free(): void {
    this.#wide?.dispose();
    this.#wide = undefined;
  }
}

/** In bfloat16, with what multiplies it so. */
export class PackedNode extends NarrowNode {
  readonly matrix: PackedMatrix;
  readonly products: Bfloat16Products;

  constructor(tape: object, id: number, matrix: PackedMatrix, products: Bfloat16Products) {
    super(tape, id, matrix.words, matrix.shape);
    this.matrix = matrix;
    this.products = products;
  }

  widened(): Tensor2D {
    return this.products.widen(this.matrix.words) as Tensor2D;
  }

  override free(): void {
    super.free();
    this.products.endPass();
  }
}

/** In 4 or 8 bits: products read a float32 copy that each makes anew. */
export class QuantizedNode extends NarrowNode {
  readonly matrix: QuantizedMatrix;
  readonly #isTraced: boolean;

  /** `isTraced`: what reads it is to become a function. */
  constructor(tape: object, id: number, matrix: QuantizedMatrix, isTraced: boolean) {
    super(tape, id, matrix.words, matrix.layout.shape);
    this.matrix = matrix;
    this.#isTraced = isTraced;
  }

  widened(): Tensor2D {
    return dequantized(this.matrix, this.#isTraced);
  }
}
