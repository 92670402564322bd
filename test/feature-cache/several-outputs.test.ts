import { backendGpu } from "@thaw/backend-gpu";
import { Trainer, type RunSummary } from "@thaw/core";
import freezePolicy from "@thaw/plugin-freeze-policy";
import projectorOnly, { type ProjectorOnlyOptions } from "@thaw/plugin-projector-only";
import { withTempFolder } from "@thaw/testing";
import { describe, expect, it } from "vitest";
import { deepModel } from "./deep-model.js";
import { deepSource } from "./deep-source.js";

/** Those that compute a row the same whatever rows are beside it. */
const BACKENDS = ["cpu", "wasm"] as const;

type Freeze = NonNullable<Parameters<typeof freezePolicy>[0]>;

interface Run {
  readonly losses: readonly number[];
  /** Of every step, by parameter. */
  readonly gradients: readonly Readonly<Record<string, readonly number[]>>[];
  readonly summary: RunSummary;
  readonly loads: number;
}

type Backend = (typeof BACKENDS)[number];

/** Two epochs of six samples on the model with several outputs per segment. */
async function train(
  backend: Backend,
  visionTower: unknown,
  microBatchSize: number,
  cache: ProjectorOnlyOptions,
  activationCheckpointing: "on" | "off" = "off",
): Promise<Run> {
  let loads = 0;
  const losses: number[] = [];
  const gradients: Run["gradients"][number][] = [];
  const trainer = new Trainer({
    model: deepModel(),
    data: { train: deepSource(() => (loads += 1)) },
    plugins: [
      backendGpu(backend),
      freezePolicy({
        freezeMultiModalProjector: false,
        ...(visionTower === false ? { freezeVisionTower: false } : { components: { visionTower } }),
      } as Freeze),
      projectorOnly(cache),
    ],
    seed: 0,
    training: { epochs: 2, microBatchSize, shuffle: false, learningRate: 1e-2, activationCheckpointing },
  });
  trainer.hooks.afterStep.tap("Watch", ({ loss }) => void losses.push(loss));
  trainer.hooks.gradients.tap("Watch", (found) => {
    gradients.push(Object.fromEntries([...found].map(([name, gradient]) => [name, [...gradient.dataSync()]])));
    return found;
  });
  return { summary: await trainer.run(), losses, gradients, loads };
}

describe.each(BACKENDS)("on %s", (backend) => {
  describe.each([
    ["frozen", "frozen"],
    ["trained in its last block", { lastBlocks: 1 }],
    ["trained", false],
  ] as const)("a tower of several outputs that is %s", (name, state) => {
    it.each([1, 2])("learns the same with and without the cache, %d samples per batch", async (size) => {
      const plain = await train(backend, state, size, { featureCache: "off" });
      expect(plain.losses.every(Number.isFinite)).toBe(true);
      const found = plain.gradients[0]!;
      for (const output of ["features", "deep0", "deep1"])
        expect(found[`multi_modal_projector.${output}.weight`]!.some((value) => value !== 0)).toBe(true);
      const cached = await train(backend, state, size, { featureCache: "auto" });
      expect(cached.losses).toEqual(plain.losses);
      expect(cached.gradients).toEqual(plain.gradients);
      // One more than there are items: the cache computes one again, alone.
      if (name === "frozen") expect([plain.loads, cached.loads]).toEqual([2 * 8, 8 + 1]);
    });

    it("learns the same where blocks are computed again", async () => {
      const plain = await train(backend, state, 2, { featureCache: "off" });
      const again = await train(backend, state, 2, { featureCache: "auto" }, "on");
      again.losses.forEach((loss, step) => expect(loss).toBeCloseTo(plain.losses[step]!, 5));
      again.gradients.forEach((step, index) => {
        for (const [parameter, values] of Object.entries(step))
          values.forEach((value, at) => expect(value).toBeCloseTo(plain.gradients[index]![parameter]![at]!, 5));
      });
    });
  });

  it.each([1, 2])("takes several outputs from disk that another run left, %d samples per batch", async (size) => {
    const plain = await train(backend, "frozen", size, { featureCache: "off" });
    await withTempFolder(async (disk) => {
      for (const [featureCache, misses] of [
        [{ disk }, 8],
        [{ disk, memory: 0 }, 0],
      ] as const) {
        const kept = await train(backend, "frozen", size, { featureCache });
        expect(kept.losses).toEqual(plain.losses);
        expect(kept.gradients).toEqual(plain.gradients);
        expect(kept.summary.numbers.featureCacheMisses).toBe(misses);
      }
    });
  });
});
