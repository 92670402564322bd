import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Bfloat16Products, PackedMatrix } from "../bfloat16/products.js";
import { valueFreed } from "../errors.js";
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
  #holders = 0;

  constructor(
    tape: object,
    id: number,
    kind: NodeKind,
    madeBy: string,
    tensor: Tensor,
    needsGradient: boolean,
    shape: readonly number[] = tensor.shape,
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
    if (this.#tensor === null || this.#tensor.isDisposed) throw valueFreed(this.madeBy, this.shape);
    return this.#tensor;
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
    if (this.kind !== "owned" || this.#tensor === null) return;
    this.#tensor.dispose();
    this.#tensor = null;
  }
}

/**
 * A frozen matrix kept in bfloat16. Ops that know of it never ask for its tensor; for others a float32 copy is made
 * that lives as long as the tape.
 */
export class PackedNode extends ValueNode {
  readonly matrix: PackedMatrix;
  readonly products: Bfloat16Products;
  #wide: Tensor | undefined;

  constructor(tape: object, id: number, matrix: PackedMatrix, products: Bfloat16Products) {
    super(tape, id, "parameter", "parameter", matrix.words, false, matrix.shape);
    this.matrix = matrix;
    this.products = products;
  }

  override get tensor(): Tensor {
    this.#wide ??= tf.keep(tf.tidy(() => this.products.widen(this.matrix.words)));
    return this.#wide;
  }

  /** Frees the float32 copy, if there is one. */
  override free(): void {
    this.#wide?.dispose();
    this.#wide = undefined;
  }
}
