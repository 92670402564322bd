import type { Tensor, Tensor1D, Tensor2D } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { badArgument } from "../errors.js";
import { oneHot } from "../kernels/indices.js";
import { operate } from "../engine/operation.js";
import type { OpRecord, Saved } from "../engine/record.js";
import type { Tape } from "../engine/tape.js";
import type { Value } from "../engine/value.js";
import { overlayOf } from "./overlay.js";
import { backThroughWeight, timesWeight } from "./weight.js";

/** Chunks of logits have at least this many rows, however large the vocabulary. */
const MIN_CHUNK_ROWS = 128;

/** Options of both cross entropies. */
export interface CrossEntropyOptions {
  /** As PyTorch's `cross_entropy`: this share of the target mass is spread evenly over the vocabulary. Default 0. */
  readonly labelSmoothing?: number;
}

/** Options of {@link crossEntropy}. */
export interface FusedCrossEntropyOptions extends CrossEntropyOptions {
  /** `[vocabulary]`, added to the logits. */
  readonly bias?: Value;
}

/**
 * Cross entropy of `softmax(hidden weight^T + bias)` against `targets`, summed over rows: `hidden [rows, hidden]`,
 * `weight [vocabulary, hidden]` to a scalar. Logits exist for a chunk of rows at a time only: gradients are computed on
 * the way forward, and they alone are saved. Of a frozen `weight` with rows from `scatterRows` only those rows get a
 * gradient, and no other is made.
 * @throws THAW_AUTOGRAD_SHAPE if a target is outside the vocabulary
 */
export function crossEntropy(
  hidden: Value,
  weight: Value,
  targets: Int32Array,
  options: FusedCrossEntropyOptions = {},
): Value {
  const [rows, width] = hidden.shape as [number, number];
  const vocabulary = weight.shape[0] as number;
  checkTargets("crossEntropy", targets, rows, vocabulary);
  const overlay = overlayOf(weight);
  const matrix = overlay?.values ?? weight;
  const values = options.bias === undefined ? [hidden, matrix] : [hidden, matrix, options.bias];
  return operate("crossEntropy", values, (record, tape) => {
    const [needsHidden = false, needsWeight = false, needsBias = false] = record === null ? [] : record.needs;
    const chunkRows = Math.max(MIN_CHUNK_ROWS, Math.floor(tape.kernels.logitsBytes / (4 * vocabulary)));
    const total = new Sum();
    const hiddenParts: Tensor[] = [];
    const weightGradient = new Sum();
    const biasGradient = new Sum();
    for (let start = 0; start < rows; start += chunkRows) {
      const count = Math.min(chunkRows, rows - start);
      tf.tidy(() => {
        const part = (
          count === rows ? hidden.tensor : tape.kernels.box(hidden.tensor, [start, 0], [count, width])
        ) as Tensor2D;
        const logits = timesWeight(tape, part, weight, options.bias?.tensor as Tensor1D | undefined);
        const { loss, gradient } = lossAndGradient(
          tape,
          logits,
          targets.subarray(start, start + count),
          options,
          record !== null,
        );
        total.add(loss);
        if (gradient === null) return;
        if (needsHidden) hiddenParts.push(tf.keep(backThroughWeight(tape, gradient, weight)));
        if (needsWeight)
          weightGradient.add(
            tape.kernels.product(overlay === undefined ? gradient : columns(gradient, overlay.rows), part, true, false),
          );
        if (needsBias) biasGradient.add(tape.kernels.columnSum(gradient));
      });
    }
    if (record !== null) {
      const whole = hiddenParts.length > 1 ? tf.concat(hiddenParts, 0) : hiddenParts[0];
      if (hiddenParts.length > 1) for (const part of hiddenParts) part.dispose();
      const saved = [whole, weightGradient.value, biasGradient.value].map((tensor) =>
        tensor === undefined ? null : record.keep(tensor),
      );
      record.backward = (gradient, wants) =>
        values.map((_, index) =>
          wants[index] && saved[index] ? scaledBy(record, saved[index], gradient, tape) : null,
        );
    }
    return total.value ?? tf.scalar(0);
  });
}

/**
 * Cross entropy of `softmax(logits)` against `targets`, summed over rows: `logits [rows, classes]` to a scalar. Saves
 * its gradient. `@throws THAW_AUTOGRAD_SHAPE`
 */
export function softmaxCrossEntropy(logits: Value, targets: Int32Array, options: CrossEntropyOptions = {}): Value {
  const [rows, classes] = logits.shape as [number, number];
  checkTargets("softmaxCrossEntropy", targets, rows, classes);
  return operate("softmaxCrossEntropy", [logits], (record, tape) => {
    if (rows === 0) return tf.scalar(0);
    const { loss, gradient } = lossAndGradient(tape, logits.tensor as Tensor2D, targets, options, record !== null);
    if (record !== null && gradient !== null) {
      const saved = record.keep(gradient);
      record.backward = (upstream) => [scaledBy(record, saved, upstream, tape)];
    }
    return loss;
  });
}

/** Columns of `[rows, columns]` by index. */
function columns(x: Tensor2D, indices: Int32Array): Tensor2D {
  return tf.gather(x, tf.tensor1d(indices, "int32"), 1);
}

/** A running sum of tensors that survives the tidy it is made in. */
class Sum {
  value: Tensor | undefined;

  add(part: Tensor): void {
    const before = this.value;
    this.value = tf.keep(before === undefined ? part : tf.add(before, part));
    before?.dispose();
  }
}

/**
 * Summed loss and its gradient with respect to the logits, `softmax - target distribution`. The log of the normaliser
 * is taken at each row's largest entry, whose probability cannot underflow: `lse = max(logits) - log(max(softmax))`.
 */
function lossAndGradient(
  tape: Tape,
  logits: Tensor2D,
  targets: Int32Array,
  options: CrossEntropyOptions,
  wantGradient: boolean,
): { loss: Tensor; gradient: Tensor2D | null } {
  const classes = logits.shape[1];
  const smoothing = options.labelSmoothing ?? 0;
  const probabilities = tf.softmax(logits);
  const exact = oneHot(targets, classes);
  const wanted =
    smoothing === 0 ? exact : tf.add(tf.mul(exact, tape.scalar(1 - smoothing)), tape.scalar(smoothing / classes));
  const normaliser = tf.sub(tf.max(logits, -1), tf.log(tf.max(probabilities, -1)));
  const picked = tf.tidy(() => tf.sum(tf.mul(wanted, logits)));
  return {
    loss: tf.sub(tf.sum(normaliser), picked),
    gradient: wantGradient ? (tf.sub(probabilities, wanted) as Tensor2D) : null,
  };
}

/** A saved gradient times the upstream scalar; the scalar one that backward starts with costs nothing. */
function scaledBy(record: OpRecord, saved: Saved, gradient: Tensor, tape: Tape): Tensor {
  return gradient === tape.scalar(1) ? record.surrender(saved) : tf.mul(saved(), gradient);
}

function checkTargets(name: string, targets: Int32Array, rows: number, classes: number): void {
  if (targets.length !== rows)
    throw badArgument(name, `There are ${targets.length} targets for ${rows} rows.`, "Give one target per row.");
  for (const target of targets) {
    if (target < 0 || target >= classes) {
      throw badArgument(
        name,
        `The target ${target} is not among ${classes} classes.`,
        "Leave ignored rows out before the product.",
        { target, classes },
      );
    }
  }
}
