import { backendGpu, type BackendOptions } from "@thaw/backend-gpu";
import { API_VERSION, definePlugin, type Logger, type RunContext, type RunSummary, Trainer } from "@thaw/core";
import { openModel } from "@thaw/models";
import { join } from "node:path";
import { captionCheck } from "./caption-check.js";
import { isUnseenConcept } from "./concepts.js";
import { CONTRASTIVE_COMPONENT, contrastiveLoss } from "./contrastive.js";
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
  steps: 5600,
  batchSize: 512,
  threads: 2,
  seed: 20,
  checkEverySteps: 700,
  checkPictures: 400,
  learningRate: 3e-3,
  matrixRateRatio: 8 / 3,
  backend: "auto",
} as const;

/**
 * Trains the tiny captioner from nothing and writes its checkpoint: the average of the weights. Unseen concepts are in
 * neither the pictures nor the vocabulary.
 */
export async function pretrain(options: PretrainOptions): Promise<RunSummary> {
  const rasters = await loadRasters({
    set: "noto",
    size: RASTER_SIZE,
    cacheFile: join(options.cache, `noto-${RASTER_SIZE}.bin`),
  });
  const other = await loadRasters({
    set: "twemoji",
    size: RASTER_SIZE,
    cacheFile: join(options.cache, `twemoji-${RASTER_SIZE}.bin`),
  });
  const set = trainingSetOf(rasters);
  const start = join(options.cache, "start");
  await writeModelFiles(start, set.tokenizer);
  const model = await openModel(start, {
    initialize: "all",
    seed: options.seed,
    components: { [CONTRASTIVE_COMPONENT]: [CONTRASTIVE_COMPONENT] },
  });
  const optimizer = pretrainingOptimizer({
    matrixRateRatio: options.matrixRateRatio,
    momentum: 0.95,
    beta1: 0.9,
    beta2: 0.98,
    epsilon: 1e-8,
    averageDecay: 0.999,
  });
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
      contrastiveLoss({
        captions: set.captions,
        width: 128,
        weight: 1,
        scale: 20,
        labelSmoothing: 0.1,
        seed: options.seed + 1,
      }),
      averagedCheckpoint({
        optimizer,
        save: (values) => model.save(options.checkpoint, values, { dtype: "BF16", overwrite: true }),
      }),
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
    return await trainer.run();
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
  const seen = [...rasters.names.entries()]
    .filter(([, name]) => known.has(name) && !isUnseenConcept(name))
    .map(([index]) => index);
  return Array.from(
    { length: Math.min(count, seen.length) },
    (_, index) => seen[Math.floor((index * seen.length) / count)] as number,
  );
}

interface AveragedCheckpointOptions {
  readonly optimizer: AveragingOptimizer;
  /** Writes the model with these values. */
  readonly save: (values: (name: string) => Promise<Float32Array>) => Promise<void>;
}

/** Hands the optimizer in, and saves its average of the weights after each check of the captions and at the end. */
const averagedCheckpoint = definePlugin<AveragedCheckpointOptions>({
  name: "AveragedCheckpointPlugin",
  apiVersion: API_VERSION,
  claims: { exclusive: ["optimizer"] },
  apply(trainer, { optimizer, save }) {
    const saveAverages = async ({ readParameter }: RunContext): Promise<void> => {
      const averages = optimizer.averages();
      // Parameters that no gradient reaches, the tower's unused last layer, keep their first values.
      await save(
        async (name) => ((await averages.get(name)?.data()) as Float32Array | undefined) ?? (await readParameter(name)),
      );
      for (const tensor of averages.values()) tensor.dispose();
    };
    trainer.hooks.resolveOptimizer.tap("AveragedCheckpointPlugin", () => optimizer);
    trainer.hooks.evaluated.tapPromise("AveragedCheckpointPlugin", saveAverages);
    trainer.hooks.done.tapPromise("AveragedCheckpointPlugin", (_, context) => saveAverages(context));
  },
});

export type { BackendOptions, Logger };
