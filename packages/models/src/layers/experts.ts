import { add, mul, release, sigmoid, softmax } from "@thaw/autograd";
import type { ActivationName } from "../blocks/activations.js";
import { linearSpecs, withoutAdapters } from "../blocks/specs.js";
import { gatedMlp } from "./gated-mlp.js";
import type { RowBlock } from "./parts.js";
import { askedWeights, chooseLargest, runChosen } from "./routing.js";

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
  const { hiddenSize, expertCount, chosenCount, intermediateSize, activation, isNormalized, sharedSize } = options;
  const names = { ...NAMES, ...options.names };
  const mlpOf = (whole: string, size: number): RowBlock =>
    gatedMlp({ hiddenSize, intermediateSize: size, activation, names: { ...options.expertNames, whole } });
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
      ...withoutAdapters([
        ...linearSpecs(`${layer}.${router}`, hiddenSize, expertCount, false),
        ...own.flatMap((expert) => expert.specs(layer)),
      ]),
      ...(shared === undefined
        ? []
        : [...shared.specs(layer), ...linearSpecs(`${layer}.${sharedGate}`, hiddenSize, 1, false)]),
    ],
    run(layer, x, scope) {
      const probabilities = softmax(scope.linear(x, `${layer}.${router}`));
      const choice = chooseLargest(probabilities.tensor.dataSync<"float32">(), expertCount, chosenCount);
      const weights = askedWeights(probabilities, choice, isNormalized, scope);
      const routed = runChosen(layer, x, { choice, weights }, own, scope);
      if (shared === undefined) {
        release(x);
        return routed;
      }
      const gate = sigmoid(scope.linear(x, `${layer}.${sharedGate}`));
      return add(routed, mul(shared.run(layer, x, scope), gate));
    },
  };
}
