import { add, mul, scale, softmax } from "@thaw/autograd";
import { linearSpecs, withoutAdapters } from "../blocks/specs.js";
import { gatedMlp, type GatedMlpOptions } from "./gated-mlp.js";
import { normed, normSpecs, type NormOptions } from "./norms.js";
import type { RowBlock } from "./parts.js";
import { askedWeights, chooseLargest, runChosen } from "./routing.js";

/** Gemma 4's experts, beside an MLP that every row asks. */
export interface Gemma4ExpertsOptions {
  readonly mlp: Pick<GatedMlpOptions, "hiddenSize" | "intermediateSize" | "activation">;
  readonly expertCount: number;
  /** How many experts a row asks. */
  readonly chosenCount: number;
  /** Of an expert. */
  readonly intermediateSize: number;
  readonly norm: NormOptions;
}

/**
 * An MLP and experts side by side, each with norms of its own before and behind. The router reads the rows as the layer
 * has them, normed without weight; weights of the chosen experts add up to 1 before each expert's own factor. Source:
 * transformers 5.24, `modeling_gemma4.py`, `Gemma4TextDecoderLayer`, `Gemma4TextRouter`, `Gemma4TextExperts`.
 */
export function gemma4Experts(options: Gemma4ExpertsOptions): RowBlock {
  const { mlp, expertCount, chosenCount, intermediateSize, norm } = options;
  const { hiddenSize } = mlp;
  const dense = gatedMlp(mlp);
  const own = Array.from({ length: expertCount }, (_, index) =>
    gatedMlp({ ...mlp, intermediateSize, names: { whole: `experts.${index}` } }),
  );
  const norms = [
    "pre_feedforward_layernorm",
    "post_feedforward_layernorm_1",
    "pre_feedforward_layernorm_2",
    "post_feedforward_layernorm_2",
  ] as const;
  const [denseBefore, denseAfter, expertsBefore, expertsAfter] = norms;
  return {
    formula: `gemma 4 experts ${JSON.stringify(options)}`,
    readsValues: true,
    normsInput: true,
    specs: (layer) => [
      ...norms.flatMap((name) => normSpecs(`${layer}.${name}`, hiddenSize, norm)),
      ...dense.specs(layer),
      { name: `${layer}.router.scale`, shape: [hiddenSize], role: "norm" },
      ...linearSpecs(`${layer}.router.proj`, hiddenSize, expertCount, false),
      { name: `${layer}.router.per_expert_scale`, shape: [expertCount], role: "norm" },
      ...withoutAdapters(own.flatMap((expert) => expert.specs(layer))),
    ],
    run(layer, x, scope) {
      const even = scale(normed(x, "", { ...norm, hasWeight: false }, scope), hiddenSize ** -0.5);
      const asking = mul(even, scope.parameter(`${layer}.router.scale`));
      const probabilities = softmax(scope.linear(asking, `${layer}.router.proj`));
      const choice = chooseLargest(probabilities.tensor.dataSync<"float32">(), expertCount, chosenCount);
      const shares = askedWeights(probabilities, choice, true, scope);
      const weights = mul(shares, scope.parameter(`${layer}.router.per_expert_scale`));
      const routed = runChosen(
        layer,
        normed(x, `${layer}.${expertsBefore}`, norm, scope),
        { choice, weights },
        own,
        scope,
      );
      const plain = dense.run(layer, normed(x, `${layer}.${denseBefore}`, norm, scope), scope);
      return add(
        normed(plain, `${layer}.${denseAfter}`, norm, scope),
        normed(routed, `${layer}.${expertsAfter}`, norm, scope),
      );
    },
  };
}
