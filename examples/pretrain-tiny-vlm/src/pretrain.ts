import { backendGpu, type BackendOptions } from "@thaw/backend-gpu";
import { API_VERSION, definePlugin, type Logger, type RunSummary, Trainer } from "@thaw/core";
import { openModel } from "@thaw/models";
import { join } from "node:path";
import { captionCheck } from "./caption-check.js";
import { isUnseenConcept } from "./concepts.js";
import { contrastiveLoss } from "./contrastive.js";
import { writeModelFiles } from "./model-files.js";
import { pictureSource } from "./picture-source.js";
import { type AveragingOptimizer, pretrainingOptimizer } from "./pretraining-optimizer.js";
import { loadRasters, type Rasters } from "./rasters.js";
import { trainingSetOf } from "./training-set.js";
import { openViewsPool } from "./views-pool.js";

/** Pixels of a side of the stored rasters; views are cut from these. */
const RASTER_SIZE = 96;
const STEPS_PER_EPOCH = 100;

export interface PretrainOptions {
  readonly steps: number;
  readonly batchSize: number;
  /** Gets the checkpoint, in the Hugging Face LLaVA layout, bfloat16. */
  readonly checkpoint: string;
  /** Keeps the rasters of the icon sets. */
  readonly cache: string;
  /** Gets the run folder; absent: nothing but the checkpoint is written. */
  readonly runs?: string;
  readonly backend: BackendOptions;
  /** Threads that make views. */
  readonly threads: number;
  readonly seed: number;
  /** Captions the other artist's pictures every so many steps. */
  readonly checkEverySteps: number;
  readonly checkPictures: number;
  readonly learningRate: number;
  readonly matrixRateRatio: number;
  readonly logger: Logger;
}

/** What was measured for the committed checkpoint. */
export const PRETRAIN_DEFAULTS = {
  steps: 8000,
  batchSize: 256,
  threads: 2,
  seed: 20,
  checkEverySteps: 1000,
  checkPictures: 400,
  learningRate: 3e-3,
  matrixRateRatio: 8 / 3,
  backend: "auto",
} as const;

/**
 * Trains the tiny captioner from nothing and writes its checkpoint: the average of the weights. Unseen concepts are in neither
 * the pictures nor the vocabulary.
 */
export async function pretrain(options: PretrainOptions): Promise<RunSummary> {
  const rasters = await loadRasters({ set: "noto", size: RASTER_SIZE, cacheFile: join(options.cache, `noto-${RASTER_SIZE}.bin`) });
  const other = await loadRasters({ set: "twemoji", size: RASTER_SIZE, cacheFile: join(options.cache, `twemoji-${RASTER_SIZE}.bin`) });
  const set = trainingSetOf(rasters);
  await writeModelFiles(options.checkpoint, set.tokenizer);
  const model = await openModel(options.checkpoint, { initialize: "all", seed: options.seed });
  const optimizer = pretrainingOptimizer({ matrixRateRatio: options.matrixRateRatio, momentum: 0.95, beta1: 0.9, beta2: 0.98, epsilon: 1e-8, averageDecay: 0.999 });
  const averages = new Map<string, Float32Array>();
  const source = pictureSource({
    pictures: set.pictures,
    rasters,
    pool: openViewsPool(rasters, options.threads),
    promptIds: set.promptIds,
    viewsPerEpoch: STEPS_PER_EPOCH * options.batchSize,
    strengthAt: (epoch, view) => strengthAt((epoch * STEPS_PER_EPOCH + view / options.batchSize) / options.steps),
    tokenDropout: 0.1,
  });
  const trainer = new Trainer({
    model,
    data: { train: source },
    plugins: [
      backendGpu(options.backend),
      contrastiveLoss({ captions: set.captions, width: 128, weight: 1, scale: 20, labelSmoothing: 0.1, seed: options.seed + 1 }),
      averagedOptimizer({ optimizer, averages }),
    ],
    training: {
      maxSteps: options.steps,
      microBatchSize: options.batchSize,
      learningRate: options.learningRate,
      labelSmoothing: 0.1,
      schedule: { type: "cosine", warmupSteps: Math.min(100, Math.ceil(options.steps / 10)) },
      optimizer: { weightDecay: 0.05, clipNorm: 1 },
    },
    seed: options.seed,
    output: options.runs,
    runName: "pretrain-tiny-vlm",
    logger: options.logger,
    evaluators: [
      captionCheck({
        name: "twemoji",
        rasters: other,
        pictures: seenPictures(other, new Set(rasters.names), options.checkPictures),
        tokenizer: set.tokenizer,
        promptIds: set.promptIds,
        batchSize: 200,
        everySteps: options.checkEverySteps,
      }),
    ],
  });
  try {
    const summary = await trainer.run();
    await model.save(options.checkpoint, (name) => averageOf(averages, name, model), { dtype: "BF16" });
    return summary;
  } finally {
    await source.close();
  }
}

/** Full augmentation from 60 % of the run on, a fifth of it at the start. */
function strengthAt(share: number): number {
  return Math.min(1, 0.2 + (0.8 * share) / 0.6);
}

/** Pictures of concepts that the training artist drew too, spread evenly over the set. */
function seenPictures(rasters: Rasters, known: ReadonlySet<string>, count: number): number[] {
  const seen = [...rasters.names.entries()].filter(([, name]) => known.has(name) && !isUnseenConcept(name)).map(([index]) => index);
  return Array.from({ length: Math.min(count, seen.length) }, (_, index) => seen[Math.floor((index * seen.length) / count)] as number);
}

/** Hands the optimizer in, and reads its averages at the end of the run, before it is disposed. */
const averagedOptimizer = definePlugin<{ readonly optimizer: AveragingOptimizer; readonly averages: Map<string, Float32Array> }>({
  name: "AveragedOptimizerPlugin",
  apiVersion: API_VERSION,
  claims: { exclusive: ["optimizer"] },
  apply(trainer, { optimizer, averages }) {
    trainer.hooks.resolveOptimizer.tap("AveragedOptimizerPlugin", () => optimizer);
    trainer.hooks.done.tapPromise("AveragedOptimizerPlugin", async (_, context) => {
      for (const [name, tensor] of optimizer.averages()) {
        averages.set(name, (await tensor.data()) as Float32Array);
        tensor.dispose();
      }
      for (const { name } of context.plan.phases[0]?.entries ?? []) if (!averages.has(name)) averages.set(name, await context.readParameter(name));
    });
  },
});

function averageOf(averages: ReadonlyMap<string, Float32Array>, name: string, model: { readonly source: string }): Promise<Float32Array> {
  const values = averages.get(name);
  return values === undefined ? Promise.reject(new Error(`No average of "${name}" was kept for ${model.source}.`)) : Promise.resolve(values);
}

export type { BackendOptions, Logger };
