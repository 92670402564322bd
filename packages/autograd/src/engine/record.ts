import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { ValueNode } from "./node.js";
import type { Value } from "./value.js";

/**
 * Gradients of an op's inputs from the gradient of its output. `wants[i]` says whether input `i`'s gradient is asked
 * for; where it is not, the entry is null and nothing is computed. Runs in a `tf.tidy`; an entry may be `gradient`
 * itself. `gradient` is borrowed, and so is `known`: where a record `addsKnown` it is what is known of the first
 * input's gradient already, and the first entry is the sum with it.
 */
export type Backward = (
  gradient: Tensor,
  wants: readonly boolean[],
  known: Tensor | null,
) => readonly (Tensor | null)[];

/**
 * `on`: ops record. `off`: nothing needs a gradient. `dry`: gradients are needed but the op will be run again in
 * backward.
 */
export type RecordingMode = "on" | "off" | "dry";

/** Reads a saved tensor in the backward pass. */
export type Saved = () => Tensor;

/**
 * One recorded op: its inputs, its output, what it saved and how gradients flow back. An op sees it only if something
 * wants a gradient through it; `needs[i]` says whether input `i` does.
 */
export class OpRecord {
  readonly name: string;
  readonly inputs: readonly ValueNode[];
  readonly needs: readonly boolean[];
  output: ValueNode | null = null;
  backward: Backward | null = null;
  /**
   * True if `backward` adds its result to what is known of the first input's gradient on the way, which saves an op.
   */
  addsKnown = false;
  /** True if `backward` takes the output's gradient in words of bfloat16 too; else it gets float32. */
  takesNarrow = false;
  #saved: ValueNode[] = [];
  #kept: Tensor[] = [];
  #outputSaved = false;

  constructor(name: string, inputs: readonly ValueNode[]) {
    this.name = name;
    this.inputs = inputs;
    this.needs = inputs.map((input) => input.needsGradient);
  }

  /** Keeps a value's tensor until this op's backward ran. */
  save(value: Value): Saved {
    const node = value as ValueNode;
    node.hold();
    this.#saved.push(node);
    return () => node.tensor;
  }

  /**
   * Keeps a tensor made inside the op (statistics, dropped intermediates) until this op's backward ran; the record owns
   * it.
   */
  keep(tensor: Tensor): Saved {
    this.#kept.push(tf.keep(tensor));
    return () => tensor;
  }

  /** Hands a tensor that `keep` got over to the caller, who owns it from then on. */
  surrender(saved: Saved): Tensor {
    const tensor = saved();
    this.#kept = this.#kept.filter((kept) => kept !== tensor);
    return tensor;
  }

  /** Keeps the op's own output until its backward ran. */
  saveOutput(): Saved {
    this.#outputSaved = true;
    return () => (this.output as ValueNode).tensor;
  }

  /** @internal Values that backward needs, and tensors that were made for it alone. */
  savedTensors(): { readonly ofValues: readonly Tensor[]; readonly own: readonly Tensor[] } {
    return { ofValues: this.#saved.map((node) => node.tensor), own: this.#kept };
  }

  /** Called by the tape once the output has its node. */
  attach(output: ValueNode): void {
    this.output = output;
    if (this.#outputSaved) {
      output.hold();
      this.#saved.push(output);
    }
  }

  /** Lets go of everything saved. */
  release(): void {
    for (const node of this.#saved) node.drop();
    for (const tensor of this.#kept) tensor.dispose();
    this.#saved = [];
    this.#kept = [];
    this.backward = null;
  }
}
