import { API_VERSION, definePlugin, Trainer } from "@thaw/core";
import { tinyTrainerOptions } from "@thaw/testing";
import { expect, it } from "vitest";
import { rule } from "./rule.js";

const ruling = definePlugin({
  name: "RulePlugin",
  apiVersion: API_VERSION,
  apply: ({ hooks }) => hooks.rules.tap("RulePlugin", (collector) => collector.add(rule)),
});

it.each([
  [0.01, false],
  [0.5, true],
])("judges a learning rate of %s", async (learningRate, isFound) => {
  const trainer = new Trainer(tinyTrainerOptions({ plugins: [ruling()], training: { learningRate } }));
  const { findings } = await trainer.plan();
  expect(findings.some((finding) => finding.rule === rule.id)).toBe(isFound);
});
