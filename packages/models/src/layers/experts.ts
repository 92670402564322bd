import {
  add,
  concat,
  div,
  gatherRows,
  mul,
  release,
  reshape,
  sigmoid,
  slice,
  softmax,
  sum,
  type Value,
} from "@thaw/autograd";
import type { Scope } from "@thaw/contracts";
import { tensor2d } from "@tensorflow/tfjs-core";
import type { ActivationName } from "../blocks/activations.js";
import { linearSpecs } from "../blocks/specs.js";
import { gatedMlp } from "./gated-mlp.js";
import type { RowBlock } from "./parts.js";

/** A router with experts. */
export interface ExpertsOptions {
  readonly hiddenSize: number;
  readonly expertCount: number;
  /** How many experts a row asks. */
  readonly chosenCount: number;
  readonly intermediateSize: number;
  readonly activation: ActivationName;
  /** The weights of the chosen experts add up to 1. */
  readonly isNormalized: boolean;
  /** An expert of that intermediate size which every row asks, opened by a gate of its own (Qwen2-MoE). */
  readonly sharedSize?: number;
  /** Names of its parts. Default: Qwen's, `mlp` with `gate`, `experts`, `shared_expert` and `shared_expert_gate`. */
  readonly names?: Partial<typeof NAMES>;
  /** Names in an expert. Default: `gate_proj`, `up_proj`, `down_proj`. */
  readonly expertNames?: { readonly gate: string; readonly up: string; readonly down: string };
}

const NAMES = {
  whole: "mlp",
  router: "gate",
  experts: "experts",
  shared: "shared_expert",
  sharedGate: "shared_expert_gate",
};

/**
 * Experts by a router: `sum of weight * expert(x)` over the `chosenCount` experts of the largest router probability,
 * which is a softmax over all (Fedus et al., arXiv:2101.03961; Jiang et al., arXiv:2401.04088). An expert computes the
 * rows that ask it alone. Which ones these are is read from the device. Source: transformers 5.23,
 * `modeling_qwen2_moe.py`, `modeling_mixtral.py`.
 */
export function experts(options: ExpertsOptions): RowBlock {
  const { hiddenSize, expertCount, intermediateSize, activation, sharedSize, expertNames } = options;
  const names = { ...NAMES, ...options.names };
  const mlpOf = (whole: string, size: number): RowBlock =>
    gatedMlp({ hiddenSize, intermediateSize: size, activation, names: { ...expertNames, whole } });
  const own = Array.from({ length: expertCount }, (_, index) =>
    mlpOf(`${names.whole}.${names.experts}.${index}`, intermediateSize),
  );
  const shared = sharedSize === undefined ? undefined : mlpOf(`${names.whole}.${names.shared}`, sharedSize);
  const router = `${names.whole}.${names.router}`;
  const sharedGate = `${names.whole}.${names.sharedGate}`;
  return {
    formula: `experts ${JSON.stringify(options)}`,
    readsValues: true,
    specs: (layer) => [
      ...linearSpecs(`${layer}.${router}`, hiddenSize, expertCount, false),
      ...own.flatMap((expert) => expert.specs(layer)),
      ...(shared === undefined
        ? []
        : [...shared.specs(layer), ...linearSpecs(`${layer}.${sharedGate}`, hiddenSize, 1, false)]),
    ],
    run(layer, x, scope) {
      const probabilities = softmax(scope.linear(x, `${layer}.${router}`));
      const choice = chooseExperts(probabilities.tensor.dataSync<"float32">(), options);
      const routed = runChosen(layer, x, probabilities, choice, own, options, scope);
      if (shared === undefined) {
        release(x);
        return routed;
      }
      const gate = sigmoid(scope.linear(x, `${layer}.${sharedGate}`));
      return add(routed, mul(shared.run(layer, x, scope), gate));
    },
  };
}

/** For each row its experts, the likeliest first: `[rows * chosenCount]`. Of equal ones the first. */
function chooseExperts(
  probabilities: Float32Array,
  { expertCount, chosenCount }: Pick<ExpertsOptions, "expertCount" | "chosenCount">,
): Int32Array {
  const rows = probabilities.length / expertCount;
  const chosen = new Int32Array(rows * chosenCount);
  const order = Array.from({ length: expertCount }, (_, index) => index);
  for (let row = 0; row < rows; row++) {
    const own = probabilities.subarray(row * expertCount, (row + 1) * expertCount);
    const best = order.toSorted((a, b) => own[b]! - own[a]! || a - b).slice(0, chosenCount);
    chosen.set(best, row * chosenCount);
  }
  return chosen;
}

/** `[rows, hidden]`. */
function runChosen(
  layer: string,
  x: Value,
  probabilities: Value,
  choice: Int32Array,
  own: readonly RowBlock[],
  { expertCount, chosenCount, hiddenSize, isNormalized }: ExpertsOptions,
  scope: Scope,
): Value {
  const rows = x.shape[0]!;
  const weights = weightsOf(probabilities, choice, chosenCount, isNormalized, scope);
  /** Where the answer of each row's each expert lies among all answers, expert after expert. */
  const places = new Int32Array(choice.length);
  const answers: Value[] = [];
  let count = 0;
  for (let expert = 0; expert < expertCount; expert++) {
    const slots = [...choice.keys()].filter((slot) => choice[slot] === expert);
    if (slots.length === 0) continue;
    const asking = Int32Array.from(slots, (slot) => Math.floor(slot / chosenCount));
    const weight = gatherRows(slice(weights, [0, expert], [rows, 1]), asking);
    answers.push(mul(own[expert]!.run(layer, gatherRows(x, asking), scope), weight));
    for (const slot of slots) places[slot] = count++;
  }
  const ordered = gatherRows(answers.length === 1 ? answers[0]! : concat(answers, 0), places);
  return sum(reshape(ordered, [rows, chosenCount, hiddenSize]), 1);
}

/** Weights of all experts `[rows, experts]`, 0 where a row does not ask. */
function weightsOf(
  probabilities: Value,
  choice: Int32Array,
  chosenCount: number,
  isNormalized: boolean,
  scope: Scope,
): Value {
  const [rows, count] = probabilities.shape as [number, number];
  const mask = new Float32Array(rows * count);
  choice.forEach((expert, slot) => {
    mask[Math.floor(slot / chosenCount) * count + expert] = 1;
  });
  const asked = mul(probabilities, scope.own(tensor2d(mask, [rows, count])));
  return isNormalized ? div(asked, reshape(sum(asked, 1), [rows, 1])) : asked;
}
