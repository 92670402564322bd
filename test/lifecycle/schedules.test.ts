import "@tensorflow/tfjs-backend-cpu";
import { memory, setBackend } from "@tensorflow/tfjs-core";
import { join } from "node:path";
import { openSafetensors, OPTIMIZER_FILE, Trainer, type RunSummary, type TrainerOptions } from "@thaw/core";
import { conflictChecker } from "@thaw/plugin-conflict-checker";
import { freezePolicy } from "@thaw/plugin-freeze-policy";
import { projectorOnly } from "@thaw/plugin-projector-only";
import { runDifference, runTiny, tinyTrainerOptions, withTempFolder } from "@thaw/testing";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

let tensors = 0;
beforeAll(async () => {
  await setBackend("cpu");
});
beforeEach(() => {
  tensors = memory().numTensors;
});
afterEach(() => {
  expect(memory().numTensors).toBe(tensors);
});

/**
 * The projector trains until step 5, the tower from step 2 with a warm-up of two steps, the last decoder block from
 * epoch 1.5 (two steps per epoch).
 */
const freeze = {
  components: {
    multiModalProjector: { freezeAtStep: 5 },
    visionTower: { unfreezeAtStep: 2, warmupSteps: 2 },
    languageModel: { lastBlocks: 1, unfreezeAtEpoch: 1.5 },
  },
} as const;

function scheduled(options: Partial<TrainerOptions> = {}): TrainerOptions {
  return tinyTrainerOptions({
    ...options,
    plugins: [
      freezePolicy(freeze),
      conflictChecker(),
      projectorOnly({ featureCache: "on" }),
      ...(options.plugins ?? []),
    ],
    training: {
      maxSteps: 7,
      saveEverySteps: 1,
      evaluateEverySteps: undefined,
      schedule: { type: "constant" },
      ...options.training,
    },
  });
}

/** Components that have optimizer state in a checkpoint, with the number of their slots. */
async function slotsAt(folder: string, step: number): Promise<Record<string, number>> {
  const reader = await openSafetensors(join(folder, "checkpoints", `step-${step}`, OPTIMIZER_FILE));
  const counts: Record<string, number> = {};
  for (const slot of reader.entries.keys()) counts[slot.split(".")[0]!] = (counts[slot.split(".")[0]!] ?? 0) + 1;
  await reader.close();
  return counts;
}

describe("a schedule", () => {
  it("is a phase of the plan for each edge, known before the run", async () => {
    const { plan, findings } = await new Trainer(scheduled()).plan();
    const trained = plan.phases.map(({ fromStep, entries }) => [
      fromStep,
      [...new Set(entries.filter(({ trainable }) => trainable).map(({ component }) => component))].sort(),
    ]);
    expect(trained).toEqual([
      [0, ["multi_modal_projector"]],
      [2, ["multi_modal_projector", "vision_tower"]],
      [3, ["language_model", "multi_modal_projector", "vision_tower"]],
      [5, ["language_model", "vision_tower"]],
    ]);
    expect(findings.map(({ rule, severity }) => `${rule} ${severity}`)).toEqual([
      "dead-parameter warning",
      "cache-with-trainable-tower note",
    ]);
  });

  it("makes slots where training starts, drops them where it ends, warms up, drops the feature cache", async () =>
    withTempFolder(async (output) => {
      const rates: Record<string, number>[] = [];
      let summary: RunSummary | undefined;
      const watch = {
        name: "Watch",
        apiVersion: 1,
        apply: ({ hooks }: Trainer) => {
          hooks.afterStep.tap("Watch", ({ learningRates }) => {
            rates.push({ ...learningRates });
          });
          hooks.done.tap("Watch", (done) => {
            summary = done;
          });
        },
      };
      await runTiny(scheduled({ output, plugins: [watch] }));
      const folder = summary!.runFolder!;
      const states = await Promise.all(
        [1, 2, 3, 4, 5, 6, 7].map(async (step) =>
          Object.keys(await slotsAt(folder, step))
            .sort()
            .join(" "),
        ),
      );
      expect(states).toEqual([
        "multi_modal_projector",
        "multi_modal_projector",
        "multi_modal_projector vision_tower",
        "language_model multi_modal_projector vision_tower",
        "language_model multi_modal_projector vision_tower",
        "language_model vision_tower",
        "language_model vision_tower",
      ]);
      expect(rates.map((rate) => rate["vision_tower"])).toEqual([undefined, undefined, 0, 0.005, 0.01, 0.01, 0.01]);
      expect(rates.map((rate) => rate["multi_modal_projector"])).toEqual([
        0.01,
        0.01,
        0.01,
        0.01,
        0.01,
        undefined,
        undefined,
      ]);
      expect(summary!.lines.join()).toContain(
        "The feature cache of vision_tower was dropped, because it trains from step 2 on.",
      );
      expect(summary!.frozenProof.every(({ isUnchanged }) => isUnchanged)).toBe(true);
      expect(summary!.frozenProof.map(({ component }) => component).sort()).toEqual([
        "language_model",
        "multi_modal_projector",
        "vision_tower",
      ]);
    }));

  it("goes on across its edges as if the run had not been stopped", async () => {
    const whole = await runTiny(scheduled());
    for (const stopAfterStep of [0, 1, 2, 4]) {
      await withTempFolder(async (output) => {
        let folder: string | undefined;
        const watch = {
          name: "Watch",
          apiVersion: 1,
          apply: ({ hooks }: Trainer) => {
            hooks.done.tap("Watch", ({ runFolder }) => {
              folder = runFolder;
            });
          },
        };
        const first = await runTiny(scheduled({ output, plugins: [watch] }), stopAfterStep);
        const second = await runTiny(scheduled({ output, resume: { from: folder! } }));
        expect(runDifference(whole, { ...second, losses: [...first.losses, ...second.losses] })).toBe(0);
      });
    }
  });
});
