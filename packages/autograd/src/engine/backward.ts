import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { sizeOf } from "../kernels/broadcast.js";
import { sumOf, widened } from "./narrow.js";
import type { ValueNode } from "./node.js";
import type { OpRecord } from "./record.js";

/**
 * Gradients on their way, by value. One tensor may stand for several values (an addition hands its gradient to both
 * sides).
 */
class GradientStore {
  #byNode = new Map<ValueNode, Tensor>();
  #uses = new Map<Tensor, number>();
  #borrowed: Tensor;

  /** `seed` is the loss' own gradient: borrowed, never disposed here. */
  constructor(loss: ValueNode, seed: Tensor) {
    this.#borrowed = seed;
    this.#byNode.set(loss, seed);
  }

  has(node: ValueNode): boolean {
    return this.#byNode.has(node);
  }

  /** Takes the gradient out; the caller lets go of it with `drop`. */
  take(node: ValueNode): Tensor | undefined {
    const gradient = this.#byNode.get(node);
    this.#byNode.delete(node);
    return gradient;
  }

  /** Adds a contribution. */
  add(node: ValueNode, part: Tensor): void {
    const known = this.#byNode.get(node);
    if (known === undefined) {
      this.hold(part);
      this.#byNode.set(node, part);
      return;
    }
    const total = sumOf(known, part);
    this.hold(total);
    this.#byNode.set(node, total);
    this.drop(known);
  }

  /** What is known so far; borrowed. */
  peek(node: ValueNode): Tensor | null {
    return this.#byNode.get(node) ?? null;
  }

  /** Puts a sum that holds what was known in its place. */
  replace(node: ValueNode, total: Tensor): void {
    const known = this.take(node);
    this.hold(total);
    this.#byNode.set(node, total);
    if (known !== undefined) this.drop(known);
  }

  hold(tensor: Tensor): void {
    if (tensor !== this.#borrowed) this.#uses.set(tensor, (this.#uses.get(tensor) ?? 0) + 1);
  }

  drop(tensor: Tensor): void {
    if (tensor === this.#borrowed) return;
    const uses = (this.#uses.get(tensor) ?? 1) - 1;
    if (uses > 0) {
      this.#uses.set(tensor, uses);
      return;
    }
    this.#uses.delete(tensor);
    tensor.dispose();
  }

  /** Hands a gradient to the caller, who then owns the tensor alone. */
  give(node: ValueNode): Tensor | null {
    const gradient = this.take(node);
    if (gradient === undefined) return null;
    if (gradient !== this.#borrowed && (this.#uses.get(gradient) ?? 0) <= 1) {
      this.#uses.delete(gradient);
      return gradient;
    }
    const copy = tf.keep(tf.clone(gradient));
    this.drop(gradient);
    return copy;
  }

  dispose(): void {
    for (const tensor of this.#byNode.values()) this.drop(tensor);
    this.#byNode.clear();
  }
}

/** Values whose gradient is of use: those wanted, and everything that depends on one. */
function findUseful(records: readonly OpRecord[], wanted: readonly ValueNode[]): Set<ValueNode> {
  const useful = new Set(wanted.filter((node) => node.needsGradient));
  for (const record of records) {
    if (record.inputs.some((input) => useful.has(input))) useful.add(record.output as ValueNode);
  }
  return useful;
}

/**
 * Values that no record makes, by the place of the first record that reads them: once that one has been walked, their
 * gradients are whole.
 */
function findWhole(records: readonly OpRecord[], wanted: readonly ValueNode[]): Map<number, ValueNode[]> {
  const open = new Set(wanted);
  for (const { output } of records) open.delete(output as ValueNode);
  const whole = new Map<number, ValueNode[]>();
  records.forEach(({ inputs }, place) => {
    const first = [...new Set(inputs as readonly ValueNode[])].filter((input) => open.delete(input));
    if (first.length > 0) whole.set(place, first);
  });
  return whole;
}

/** Takes a gradient over as soon as it is whole. */
export type TakeGradient = (node: ValueNode, gradient: Tensor) => void;

/**
 * Walks the records from the last to the first, computes the gradients that lead to `wanted`, and frees what each
 * record saved, its output and its output's gradient right after it. All records are released, also when an op fails.
 * @param seed gradient of `loss`, borrowed
 * @param take gets gradients of wanted values that nothing computes, while the walk goes on
 * @returns one tensor per wanted value, owned by the caller; null where no path leads, and where `take` got it
 */
export function runBackward(
  records: OpRecord[],
  loss: ValueNode,
  seed: Tensor,
  wanted: readonly ValueNode[],
  take?: TakeGradient,
): (Tensor | null)[] {
  const whole = take === undefined ? undefined : findWhole(records, wanted);
  const useful = findUseful(records, wanted);
  const kept = new Set<ValueNode>([...wanted, loss]);
  const gradients = new GradientStore(loss, seed);
  const results = new Map<ValueNode, Tensor | null>();
  try {
    for (let record = records.pop(); record !== undefined; record = records.pop()) {
      const output = record.output as ValueNode;
      try {
        step(record, gradients, useful, kept.has(output));
      } finally {
        record.release();
      }
      // Single numbers (parts of a loss) stay readable.
      if (!kept.has(output) && sizeOf(output.shape) > 1) output.free();
      for (const node of whole?.get(records.length) ?? []) {
        const gradient = useful.has(node) ? gradients.give(node) : null;
        if (gradient !== null) take!(node, gradient);
      }
    }
    return wanted.map((node) => {
      const known = results.get(node);
      if (known !== undefined) return known === null ? null : tf.keep(tf.clone(known));
      const gradient = useful.has(node) ? gradients.give(node) : null;
      results.set(node, gradient);
      return gradient;
    });
  } finally {
    for (const record of records) record.release();
    gradients.dispose();
  }
}

function step(record: OpRecord, gradients: GradientStore, useful: ReadonlySet<ValueNode>, keepOutput: boolean): void {
  const output = record.output as ValueNode;
  const backward = record.backward;
  if (!gradients.has(output) || !useful.has(output)) return;
  const gradient = gradients.take(output) as Tensor;
  if (keepOutput) gradients.add(output, gradient);
  const wants = record.inputs.map((input) => useful.has(input));
  if (backward === null || !wants.includes(true)) {
    gradients.drop(gradient);
    return;
  }
  const first = record.inputs[0] as ValueNode;
  const known =
    record.addsKnown && wants[0] === true && record.inputs.indexOf(first, 1) < 0 ? gradients.peek(first) : null;
  try {
    const parts: (Tensor | null)[] = [];
    tf.tidy(() => {
      const upstream = record.takesNarrow ? gradient : widened(gradient);
      for (const part of backward(upstream, wants, known === null ? null : widened(known)))
        parts.push(part === null ? null : tf.keep(part));
    });
    // Hold all first: an op may return one tensor for two inputs, or the upstream gradient itself.
    for (const part of parts) if (part !== null) gradients.hold(part);
    parts.forEach((part, index) => {
      if (part === null) return;
      if (index === 0 && known !== null) gradients.replace(first, part);
      else if (wants[index] === true) gradients.add(record.inputs[index] as ValueNode, part);
      gradients.drop(part);
    });
  } finally {
    gradients.drop(gradient);
  }
}
