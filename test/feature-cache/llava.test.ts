import { backendGpu } from "@thaw/backend-gpu";
import { Trainer, type Batch, type BatchSource } from "@thaw/core";
import { openModel } from "@thaw/models";
import freezePolicy from "@thaw/plugin-freeze-policy";
import projectorOnly, { type ProjectorOnlyOptions } from "@thaw/plugin-projector-only";
import { withTempFolder } from "@thaw/testing";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { onlyBatch, openGolden } from "../parity/golden.mjs";

const folder = fileURLToPath(new URL("../fixtures/goldens/llava", import.meta.url));

interface Golden {
  readonly batch: Batch;
  readonly facts: {
    readonly optimizer: {
      readonly lr: number;
      readonly schedule: "cosine";
      readonly warmup_steps: number;
      readonly weight_decay: number;
      readonly betas: readonly [number, number];
      readonly eps: number;
      readonly max_grad_norm: number;
      readonly steps: number;
    };
    readonly runs: Readonly<Record<string, { readonly losses: readonly number[] }>>;
  };
}
let golden: Golden;
beforeAll(async () => {
  golden = (await openGolden(folder)) as unknown as Golden;
});

/**
 * Five steps of a golden run on WASM: losses, the projector's end, how many images were decoded, what the cache
 * counted.
 */
async function train(freezeLanguageModel: boolean, cache: ProjectorOnlyOptions) {
  const { lr, schedule, warmup_steps, weight_decay, betas, eps, max_grad_norm, steps } = golden.facts.optimizer;
  let decoded = 0;
  const counted = golden.batch.media.map((item) => ({
    ...item,
    load: () => ((decoded += 1), item.load()),
  }));
  const train = onlyBatch({ ...golden.batch, media: counted }) as BatchSource;
  const losses: number[] = [];
  let end: Float32Array | undefined;
  const trainer = new Trainer({
    model: await openModel(folder),
    data: { train },
    plugins: [
      backendGpu("wasm"),
      freezePolicy({ freezeMultiModalProjector: false, freezeLanguageModel }),
      projectorOnly(cache),
    ],
    seed: 0,
    training: {
      maxSteps: steps,
      microBatchSize: golden.batch.batchSize,
      shuffle: false,
      learningRate: lr,
      schedule: { type: schedule, warmupSteps: warmup_steps },
      optimizer: {
        weightDecay: weight_decay,
        beta1: betas[0],
        beta2: betas[1],
        epsilon: eps,
        clipNorm: max_grad_norm,
        decayNormsAndBiases: true,
      },
    },
  });
  trainer.hooks.afterStep.tap("Watch", ({ loss }) => void losses.push(loss));
  trainer.hooks.done.tapPromise(
    "Watch",
    async (_, { readParameter }) => void (end = await readParameter("multi_modal_projector.linear_1.weight")),
  );
  const { numbers } = await trainer.run();
  return { losses, end: end!, decoded, hits: numbers.featureCacheHits ?? 0, misses: numbers.featureCacheMisses ?? 0 };
}

describe("the feature cache on LLaVA", () => {
  it.each([
    ["projector", true],
    ["projector_and_language_model", false],
  ] as const)("trains %s as PyTorch does, and bit for bit as without the cache", async (run, freezeLanguageModel) => {
    const plain = await train(freezeLanguageModel, { featureCache: "off" });
    const cached = await train(freezeLanguageModel, { featureCache: "on" });
    cached.losses.forEach((loss, step) =>
      expect(Math.abs(loss - golden.facts.runs[run]!.losses[step]!)).toBeLessThan(1e-4),
    );
    expect(cached.losses).toEqual(plain.losses);
    expect(cached.end).toEqual(plain.end);
    expect([plain.decoded, cached.decoded]).toEqual([10, 3]);
    expect([cached.hits, cached.misses]).toEqual([8, 2]);
  });

  it("takes features from disk that another run left, bit for bit", async () => {
    await withTempFolder(async (disk) => {
      const first = await train(true, { featureCache: { disk } });
      const second = await train(true, { featureCache: { disk, memory: 0 } });
      expect(second.losses).toEqual(first.losses);
      expect(second.end).toEqual(first.end);
      expect([second.decoded, second.hits, second.misses]).toEqual([1, 10, 0]);
    });
  });
});
