import type { PlanEntry, RuleContext } from "@thaw/core";
import { describe, expect, it } from "vitest";
import { newTokensWithFrozenEmbeddings } from "./new-tokens-with-frozen-embeddings.js";

const judged = (state: Partial<PlanEntry>): number => {
  const entry: PlanEntry = {
    name: "language_model",
    component: "language_model",
    group: "language_model",
    trainable: false,
    reason: { text: "whatever the plugin that decides it says", settings: [] },
    ...state,
  };
  const context = {
    model: { isPlaceholder: true },
    settings: [{ path: "data.added_tokens", value: ["<box>"], origin: "explicit" }],
    plan: { phases: [{ fromStep: 0, entries: [entry] }] },
    parameters: [],
  } as unknown as RuleContext;
  return newTokensWithFrozenEmbeddings.check!(context).length;
};

describe("new tokens over a model that is not read", () => {
  it("are judged by the state of the language model, however its reason is worded", () => {
    expect(judged({})).toBe(1);
    expect(judged({ trainable: true })).toBe(0);
    expect(judged({ isAdapted: true })).toBe(0);
  });
});
