import "@tensorflow/tfjs-backend-cpu";
import { setBackend } from "@tensorflow/tfjs-core";
import { Trainer, type TrainingOptions } from "@thaw/core";
import conflictChecker from "@thaw/plugin-conflict-checker";
import { conformance, tinyModel } from "@thaw/testing";
import { beforeAll, describe, expect, it } from "vitest";
import houseRules from "./index.js";

beforeAll(async () => {
  await setBackend("cpu");
});

async function findings(training: TrainingOptions, severity?: "error" | "off"): Promise<string[]> {
  const plugins = [
    houseRules(),
    ...(severity === undefined ? [] : [conflictChecker({ rules: { "high-rate-without-warmup": severity } })]),
  ];
  const plan = await new Trainer({ model: tinyModel(), plugins, training: { maxSteps: 1, ...training } }).plan();
  return plan.findings
    .filter(({ rule }) => rule === "high-rate-without-warmup")
    .map(
      (finding) =>
        `${finding.severity} ${finding.message.split(" ")[0]}: ${finding.settings.map(({ path }) => path).join()}`,
    );
}

describe("high-rate-without-warmup", () => {
  it.each([
    ["a low rate", { learningRate: 1e-3 }],
    ["a high rate with a warm-up ratio", { learningRate: 1e-2, schedule: { warmupRatio: 0.1 } }],
    ["a high rate with warm-up steps", { learningRate: 1e-2, schedule: { warmupSteps: 2 } }],
  ] satisfies [string, TrainingOptions][])("valid: %s", async (_, training) => {
    expect(await findings(training)).toEqual([]);
  });

  it.each([
    ["a high rate for all", { learningRate: 1e-2 }, ["vision_tower", "multi_modal_projector", "language_model"]],
    [
      "a high rate for one component",
      { components: { multiModalProjector: { learningRate: 2e-2 } } },
      ["multi_modal_projector"],
    ],
  ] satisfies [string, TrainingOptions, string[]][])("invalid: %s", async (_, training, groups) => {
    const found = await findings(training);
    expect(found.map((text) => text.split(":")[0])).toEqual(groups.map((group) => `warning ${group}`));
    expect(found[0]).toMatch(/learningRate/);
  });

  it("takes the severity that the config gives it", async () => {
    expect((await findings({ learningRate: 1e-2 }, "error")).every((text) => text.startsWith("error"))).toBe(true);
    expect(await findings({ learningRate: 1e-2 }, "off")).toEqual([]);
  });
});

describe("houseRules", () => {
  for (const { name, run } of conformance(() => houseRules())) it(name, run);
});
