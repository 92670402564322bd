import { expect, it } from "vitest";
import { experts } from "./experts.js";

it("offers to adapters what transformers keeps as linear layers: the shared expert and its gate", () => {
  const kind = experts({
    hiddenSize: 4,
    expertCount: 2,
    chosenCount: 1,
    intermediateSize: 8,
    activation: "silu",
    isNormalized: true,
    sharedSize: 8,
  });
  expect(kind.specs("layer").flatMap(({ name, isLinear }) => (isLinear === true ? [name] : []))).toEqual([
    "layer.mlp.shared_expert.gate_proj.weight",
    "layer.mlp.shared_expert.up_proj.weight",
    "layer.mlp.shared_expert.down_proj.weight",
    "layer.mlp.shared_expert_gate.weight",
  ]);
});
