import type { Plan } from "@thaw/contracts";
import { expect, it } from "vitest";
import { packableNames } from "./packable.js";

const parameters = [
  { name: "frozen", shape: [4, 6], dtype: "F32" },
  { name: "odd", shape: [4, 5], dtype: "F32" },
  { name: "norm", shape: [6], dtype: "F32" },
  { name: "trained", shape: [4, 6], dtype: "F32" },
  { name: "later", shape: [4, 6], dtype: "F32" },
  { name: "patches", shape: [4, 3, 2, 2], dtype: "F32" },
];
const phase = (fromStep: number, trained: readonly string[]) => ({
  fromStep,
  entries: parameters.map(({ name }) => ({ name, component: "c", trainable: trained.includes(name) })),
});

it("packs matrices with an even number of columns that no phase trains", () => {
  const plan = { phases: [phase(0, ["trained"]), phase(5, ["later"])] } as unknown as Plan;
  expect([...packableNames({ plan, parameters })]).toEqual(["frozen"]);
});
