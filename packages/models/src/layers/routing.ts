import { concat, div, gatherRows, mul, reshape, slice, sum, type Value } from "@thaw/autograd";
import type { Scope } from "@thaw/contracts";
import { tensor2d } from "@tensorflow/tfjs-core";
import type { RowBlock } from "./parts.js";

/** Which experts rows ask, and how much of each answer they take. */
export interface Routing {
  /** For each row its experts: `[rows * asked]`. */
  readonly choice: Int32Array;
  /** Of all experts, `[rows, experts]`. */
  readonly weights: Value;
}

/**
 * For each row its experts of the largest score, the largest first: `[rows * chosenCount]`. Of equal ones the first.
 */
export function chooseLargest(scores: Float32Array, expertCount: number, chosenCount: number): Int32Array {
  const rows = scores.length / expertCount;
  const chosen = new Int32Array(rows * chosenCount);
  const order = Array.from({ length: expertCount }, (_, index) => index);
  for (let row = 0; row < rows; row++) {
    const own = scores.subarray(row * expertCount, (row + 1) * expertCount);
    const best = order.toSorted((a, b) => own[b]! - own[a]! || a - b).slice(0, chosenCount);
    chosen.set(best, row * chosenCount);
  }
  return chosen;
}

/**
 * Weights of all experts `[rows, experts]`: 0 where a row does not ask; those of a row add up to 1 if `isNormalized`.
 */
export function askedWeights(probabilities: Value, choice: Int32Array, isNormalized: boolean, scope: Scope): Value {
  const [rows, count] = probabilities.shape as [number, number];
  const mask = new Float32Array(rows * count);
  choice.forEach((expert, slot) => {
    mask[Math.floor((slot * rows) / choice.length) * count + expert] = 1;
  });
  const asked = mul(probabilities, scope.own(tensor2d(mask, [rows, count])));
  return isNormalized ? div(asked, reshape(sum(asked, 1), [rows, 1])) : asked;
}

/**
 * What the experts that rows ask make of them, by weight: `[rows, hidden]`. An expert computes the rows that ask it
 * alone. Does not let go of `x`.
 */
export function runChosen(
  layer: string,
  x: Value,
  { choice, weights }: Routing,
  experts: readonly RowBlock[],
  scope: Scope,
): Value {
  const [rows, hiddenSize] = x.shape as [number, number];
  const chosenCount = choice.length / rows;
  /** Where the answer of each row's each expert lies among all answers, expert after expert. */
  const places = new Int32Array(choice.length);
  const answers: Value[] = [];
  let count = 0;
  for (const [expert, block] of experts.entries()) {
    const slots = [...choice.keys()].filter((slot) => choice[slot] === expert);
    if (slots.length === 0) continue;
    const asking = Int32Array.from(slots, (slot) => Math.floor(slot / chosenCount));
    const weight = gatherRows(slice(weights, [0, expert], [rows, 1]), asking);
    answers.push(mul(block.run(layer, gatherRows(x, asking), scope), weight));
    for (const slot of slots) places[slot] = count++;
  }
  const ordered = gatherRows(answers.length === 1 ? answers[0]! : concat(answers, 0), places);
  return sum(reshape(ordered, [rows, chosenCount, hiddenSize]), 1);
}
