import { add, scale, sigmoid } from "@thaw/autograd";
import type { ActivationName } from "../blocks/activations.js";
import { linearSpecs, withoutAdapters } from "../blocks/specs.js";
import type { ParameterSpec } from "../contract/family.js";
import { gatedMlp } from "./gated-mlp.js";
import type { RowBlock } from "./parts.js";
import { askedWeights, chooseLargest, runChosen } from "./routing.js";

/** How a router chooses among groups of experts. */
export interface GroupChoice {
  readonly expertCount: number;
  readonly groupCount: number;
  /** How many groups a row's experts come from. */
  readonly chosenGroupCount: number;
  /** How many experts a row asks. */
  readonly chosenCount: number;
}

/** A router over groups of experts. */
export interface GroupedExpertsOptions extends GroupChoice {
  readonly hiddenSize: number;
  /** Of an expert. */
  readonly intermediateSize: number;
  /** Of the expert that every row asks. */
  readonly sharedSize: number;
  readonly activation: ActivationName;
  /** The weights of the chosen experts add up to 1 before `factor`. */
  readonly isNormalized: boolean;
  /** Factor on the weights of the chosen experts. */
  readonly factor: number;
}

/** Experts of a group that are added up to compare it with others. */
const BEST = 2;

/**
 * For each row its experts of the largest score among those of its best groups: `[rows * chosenCount]`. A group counts
 * as much as its two best experts together.
 */
export function chooseInGroups(scores: Float32Array, choice: GroupChoice): Int32Array {
  const { expertCount, groupCount, chosenGroupCount, chosenCount } = choice;
  const rows = scores.length / expertCount;
  const size = expertCount / groupCount;
  const sums = Float32Array.from({ length: rows * groupCount }, (_, group) =>
    scores
      .slice(group * size, (group + 1) * size)
      .toSorted((a, b) => b - a)
      .slice(0, BEST)
      .reduce((total, score) => total + score, 0),
  );
  const open = chooseLargest(sums, groupCount, chosenGroupCount);
  const allowed = new Float32Array(scores.length).fill(-Infinity);
  for (const [slot, group] of open.entries()) {
    const from = Math.floor(slot / chosenGroupCount) * expertCount + group * size;
    allowed.set(scores.subarray(from, from + size), from);
  }
  return chooseLargest(allowed, expertCount, chosenCount);
}

/**
 * Experts by a router of sigmoids (DeepSeek-V3, arXiv:2412.19437): a stored bias takes part in the choice and not in
 * the weights. An expert that all rows ask is added. Source: transformers 5.24, `modeling_glm4v_moe.py`,
 * `Glm4vMoeTextTopkRouter`, `Glm4vMoeTextMoE`.
 */
export function groupedExperts(options: GroupedExpertsOptions): RowBlock {
  const { hiddenSize, expertCount, intermediateSize, sharedSize, activation, isNormalized, factor } = options;
  const mlpOf = (whole: string, size: number): RowBlock =>
    gatedMlp({ hiddenSize, intermediateSize: size, activation, names: { whole } });
  const own = Array.from({ length: expertCount }, (_, index) => mlpOf(`mlp.experts.${index}`, intermediateSize));
  const shared = mlpOf("mlp.shared_experts", sharedSize);
  const biasOf = (layer: string): ParameterSpec => ({
    name: `${layer}.mlp.gate.e_score_correction_bias`,
    shape: [expertCount],
    role: "bias",
    isBuffer: true,
  });
  return {
    formula: `grouped experts ${JSON.stringify(options)}`,
    readsValues: true,
    specs: (layer) => [
      ...withoutAdapters([
        ...linearSpecs(`${layer}.mlp.gate`, hiddenSize, expertCount, false),
        ...own.flatMap((expert) => expert.specs(layer)),
      ]),
      biasOf(layer),
      ...shared.specs(layer),
    ],
    run(layer, x, scope) {
      const scores = sigmoid(scope.linear(x, `${layer}.mlp.gate`));
      const compared = add(scores, scope.parameter(biasOf(layer).name));
      const choice = chooseInGroups(compared.tensor.dataSync<"float32">(), options);
      const weights = scale(askedWeights(scores, choice, isNormalized, scope), factor);
      const routed = runChosen(layer, x, { choice, weights }, own, scope);
      return add(routed, shared.run(layer, x, scope));
    },
  };
}
