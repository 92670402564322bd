import type { Tensor } from "@tensorflow/tfjs-core";
import { valueFreed } from "./errors.js";
import type { Tape } from "./tape.js";
import type { Value } from "./value.js";

/** Where a value's tensor comes from: a parameter and a constant are borrowed, the rest belongs to the tape. */
export type NodeKind = "parameter" | "constant" | "owned";

/**
 * The tape's own view of a `Value`. An owned node counts who still needs its tensor (the scope that made it, and every
 * record that saved it) and frees it when nobody does.
 */
export class ValueNode implements Value {
  readonly tape: Tape;
  /** Rises with time of creation; tells what was made inside a checkpointed run. */
  readonly id: number;
  readonly kind: NodeKind;
  /** The op that made it, for messages. */
  readonly madeBy: string;
  readonly shape: readonly number[];
  readonly needsGradient: boolean;
  #tensor: Tensor | null;
  #holders = 0;

  constructor(tape: Tape, id: number, kind: NodeKind, madeBy: string, tensor: Tensor, needsGradient: boolean) {
    this.tape = tape;
    this.id = id;
    this.kind = kind;
    this.madeBy = madeBy;
    this.shape = tensor.shape;
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
