/** What the types of hooks and options let through, and what not. Compiled by types.test.ts; nothing here runs. */
import { definePlugin, Trainer, type AfterStepContext, type Batch, type PluginFactory } from "@thaw/core";
import freezePolicy from "@thaw/plugin-freeze-policy";
import lora from "@thaw/plugin-lora";
import projectorOnly from "@thaw/plugin-projector-only";
import tokenRows from "@thaw/plugin-token-rows";
import { tinyModel } from "@thaw/testing";

// Options of built-in plugins.
projectorOnly();
projectorOnly({ featureCache: "auto", required: true });
projectorOnly({ featureCache: { memory: "2GB", disk: true } });
// @ts-expect-error a word that is not a mode
projectorOnly({ featureCache: "sometimes" });
// @ts-expect-error an unknown key
projectorOnly({ featureCach: "auto" });
// @ts-expect-error a size is text or a number
projectorOnly({ featureCache: { memory: true } });
freezePolicy({ trainMmProjOnly: true });
// @ts-expect-error flags are booleans
freezePolicy({ freezeVisionTower: "yes" });

freezePolicy({ components: { languageModel: { lora: { rank: 8, targetModules: "all-linear" } } } });
// @ts-expect-error target modules are one name or several
freezePolicy({ components: { languageModel: { lora: { targetModules: 3 } } } });
lora({ adapter: "./adapter", save: false });
tokenRows({ tokens: ["<box>", 32001], initialize: "mean" });
// @ts-expect-error tokens are names or ids
tokenRows({ tokens: [true] });
// @ts-expect-error what an adapter is stands in freeze.components
lora({ rank: 8 });

// Hook payloads.
const { hooks } = new Trainer({ model: tinyModel() });
hooks.afterStep.tap("T", (context) => {
  const step: AfterStepContext = context;
  // @ts-expect-error payloads are readonly
  step.loss = 0;
});
hooks.batch.tapPromise("T", async (batch, { runSegment }) => {
  await runSegment("vision_tower", batch.media);
  return batch satisfies Batch;
});
// @ts-expect-error a waterfall tap returns the value
hooks.batch.tapPromise("T", async () => undefined);
// @ts-expect-error nobody waits for an async function that is given to tap
hooks.afterStep.tap("T", async () => {});
// @ts-expect-error nor in a sync hook
hooks.collectMetrics.tap("T", async () => {});
// @ts-expect-error nor where a value is returned
hooks.plan.tap("T", async (plan) => plan);
hooks.plan.tapPromise("T", async (plan) => plan);
hooks.collectMetrics.tap("T", (collector) => collector.add("a", 1));
hooks.shouldStop.tap("T", () => undefined);
hooks.shouldStop.tap("T", () => ({ stop: "epoch", reason: "enough" }));
// @ts-expect-error an answer has a reason
hooks.shouldStop.tap("T", () => ({ stop: "run" }));
hooks.gradients.tap("T", (gradients) => new Map(gradients));
hooks.scope.tap("T", (scope, { purpose, microBatch }) => {
  void [purpose satisfies string, microBatch satisfies number];
  return scope;
});
// @ts-expect-error a scope has all of its methods
hooks.scope.tap("T", () => ({ training: true }));
// @ts-expect-error the map of gradients cannot be changed in place
hooks.gradients.tap("T", (gradients) => gradients.set("a", gradients.get("b")!));
// @ts-expect-error hooks cannot be replaced
hooks.done = new Trainer({ model: tinyModel() }).hooks.done;

// Factories.
const factory = definePlugin<{ readonly limit?: number }>({
  name: "P",
  apiVersion: 1,
  apply: (_, { limit }) => void limit,
});
factory satisfies PluginFactory<{ readonly limit?: number }, { readonly limit?: number }>;
factory({ limit: 1 });
// @ts-expect-error options are typed
factory({ limit: "1" });
// @ts-expect-error claims are lists of names
definePlugin({ name: "P", apiVersion: 1, claims: { writes: "plan" }, apply: () => undefined });
