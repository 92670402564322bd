import { backendGpu } from "@thaw/backend-gpu";
import { Trainer } from "@thaw/core";
import { openModel } from "@thaw/models";
import freezePolicy from "@thaw/plugin-freeze-policy";
import { lora } from "@thaw/plugin-lora";
import { projectorOnly } from "@thaw/plugin-projector-only";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { RAGGED, raggedSource } from "../savings/ragged.js";
import { USABLE_BACKENDS } from "../support/backends.js";

const folder = fileURLToPath(new URL("../fixtures/goldens/llava", import.meta.url));

type Freeze = NonNullable<Parameters<typeof freezePolicy>[0]>;

type Backend = (typeof USABLE_BACKENDS)[number];

/** Losses of seven samples, among them text alone and several images. */
async function losses(
  backend: Backend,
  visionTower: unknown,
  microBatchSize: number,
  featureCache: "auto" | "off",
): Promise<number[]> {
  const seen: number[] = [];
  const trainer = new Trainer({
    model: await openModel(folder),
    data: { train: raggedSource(RAGGED.slice(0, -1)) },
    plugins: [
      backendGpu(backend),
      freezePolicy({
        freezeMultiModalProjector: false,
        ...(visionTower === false ? { freezeVisionTower: false } : { components: { visionTower } }),
      } as Freeze),
      lora(),
      projectorOnly({ featureCache }),
    ],
    seed: 0,
    training: { epochs: 1, microBatchSize, shuffle: false, learningRate: 1e-3 },
  });
  trainer.hooks.afterStep.tap("Losses", ({ loss }) => void seen.push(loss));
  await trainer.run();
  return seen;
}

describe.each(USABLE_BACKENDS)("the feature cache changes no loss on %s where the vision tower is", (backend) => {
  it.each([
    ["frozen", "frozen"],
    ["trained", false],
    ["trained in its last block", { lastBlocks: 1 }],
    ["trained where names match", { match: ["layers.1.mlp"] }],
    ["given adapters", { lora: { rank: 2 } }],
    ["trained from a step on", { unfreezeAtStep: 2 }],
  ] as const)("%s, with one and two samples per batch", async (_, state) => {
    for (const size of [1, 2]) {
      const [cached, plain] = [await losses(backend, state, size, "auto"), await losses(backend, state, size, "off")];
      expect(plain.every(Number.isFinite)).toBe(true);
      cached.forEach((loss, step) => expect(loss).toBeCloseTo(plain[step]!, 4));
    }
  });
});
