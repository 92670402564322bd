import type { GraphComponent } from "@thaw/core";

/** What becomes of a component, in words. */
export const STATES: Readonly<Record<GraphComponent["state"], string>> = {
  frozen: "frozen",
  train: "trains",
  partial: "trains in part",
  adapter: "adapters train",
  undecided: "undecided",
};

/** True for what is computed once per item and kept, where the run has a feature cache. */
export function isKept({ state, flows }: Pick<GraphComponent, "state" | "flows">): boolean {
  return state === "frozen" && flows.length > 0 && flows.every((flow) => flow === "prefix");
}
