import { totalmem } from "node:os";
import { dirname, resolve } from "node:path";
import {
  API_VERSION,
  definePlugin,
  STAGE_LATE,
  sumRowCounts,
  type Backend,
  type BatchSource,
  type PlannedContext,
  type RowCounts,
  type Setting,
  type TrainerApi,
} from "@thaw/core";
import { defaultCacheFolder } from "./store/disk-room.js";
import { projectorOnlySchema, type ProjectorOnlyOptions, type ResolvedProjectorOnlyOptions } from "./options.js";
import { projectorOnlyRules } from "./rules.js";
import { rowLines, rowShares, rowSavingsOf } from "./savings/row-savings.js";
import { RunCaches, type RunCachesReport } from "./cache/run-caches.js";
import { cacheLines } from "./savings/cache-lines.js";
import { SELF_TEST_TOLERANCES } from "./self-test.js";

export const PLUGIN_NAME = "ProjectorOnlyPlugin";

/** Features that stay in a device's own memory: a few hundred images, and little of any card. */
const DEVICE_BYTES = 2 ** 29;

const CACHED = ["segmentOutputs:vision_tower", "segmentOutputs:audio_tower"];

/**
 * Savings when the vision tower is frozen: its output is computed once per image and kept, in memory and on disk. Works
 * also where more than the projector trains, as long as nothing in or before the tower does. Options: `projectorOnly`.
 */
export const projectorOnly = definePlugin<ProjectorOnlyOptions | undefined, ResolvedProjectorOnlyOptions>({
  name: PLUGIN_NAME,
  apiVersion: API_VERSION,
  configKey: "projectorOnly",
  optionsSchema: projectorOnlySchema,
  claims: ({ featureCache, savings }) => {
    if (featureCache.mode !== "off") return { reads: ["batch"], writes: ["batch", ...CACHED], exclusive: CACHED };
    return rowSavingsOf(savings) === undefined ? {} : { writes: ["batch"] };
  },
  apply(trainer, options, settings) {
    const { hooks } = trainer;
    hooks.rules.tap(PLUGIN_NAME, (collector) => {
      for (const rule of projectorOnlyRules(options, settings)) collector.add(rule);
    });
    tapRows(trainer, options);
    if (options.featureCache.mode === "off") return;
    // One instance may serve several trainers, and a trainer may open a session and then run: what each keeps is found
    // by its trainer.
    const plans = new WeakMap<TrainerApi, PlannedContext>();
    const runs = new WeakMap<TrainerApi, RunCaches>();
    hooks.planned.tap(PLUGIN_NAME, (context) => void plans.set(trainer, context));
    hooks.initialize.tap(PLUGIN_NAME, ({ backend, training, ensemble }) => {
      runs.set(
        trainer,
        new RunCaches(
          {
            ...runOptions(trainer, { backend, isShared: ensemble.size > 1 }, options, settings),
            tolerance: SELF_TEST_TOLERANCES[training.precision],
          },
          plans.get(trainer)!,
        ),
      );
    });
    // Late: other plugins may still change the batch's items.
    hooks.batch.tapPromise(
      { name: PLUGIN_NAME, stage: STAGE_LATE },
      async (batch, context) => (await runs.get(trainer)?.batch(batch, context)) ?? batch,
    );
    hooks.beforeRun.tap(PLUGIN_NAME, () => runs.get(trainer)?.warmth?.begin());
    hooks.beforeEpoch.tap(PLUGIN_NAME, () => runs.get(trainer)?.warmth?.beginEpoch());
    hooks.afterEpoch.tap(PLUGIN_NAME, () => runs.get(trainer)?.warmth?.endEpoch());
    hooks.collectMetrics.tap(PLUGIN_NAME, (collector) => {
      const report = runs.get(trainer)?.report;
      if (report === undefined || report.segments.length === 0) return;
      for (const [name, value] of Object.entries(cacheNumbers(report))) collector.add(name, value);
    });
    hooks.done.tap(PLUGIN_NAME, (summary) => {
      const report = runs.get(trainer)?.report;
      if (report === undefined) return;
      summary.lines.push(...cacheLines(report));
      Object.assign(summary.numbers, cacheNumbers(report));
    });
    hooks.shutdown.tapPromise(PLUGIN_NAME, async () => {
      await runs.get(trainer)?.close();
      runs.delete(trainer);
    });
  },
});

/** Savings of rows: the batch says which are on, the summary what they were worth. */
function tapRows({ hooks }: TrainerApi, { savings }: ResolvedProjectorOnlyOptions): void {
  const rows = rowSavingsOf(savings);
  if (rows !== undefined)
    hooks.batch.tap(PLUGIN_NAME, (batch) => ({ ...batch, savings: { ...rows, ...batch.savings } }));
  let sums: RowCounts | undefined;
  hooks.beforeRun.tap(PLUGIN_NAME, () => {
    sums = undefined;
  });
  hooks.collectMetrics.tap(PLUGIN_NAME, (collector, { rowCounts }) => {
    if (rowCounts === undefined) return;
    sums = sumRowCounts(sums, rowCounts);
    collector.add("rowsSkipped", rowShares(rowCounts).rowsSkipped!);
  });
  hooks.done.tap(PLUGIN_NAME, (summary) => {
    if (sums === undefined) return;
    summary.lines.push(...rowLines(sums));
    Object.assign(summary.numbers, rowShares(sums));
  });
}

function cacheNumbers(report: RunCachesReport): Readonly<Record<string, number>> {
  return {
    featureCacheHits: report.hits,
    featureCacheMisses: report.misses,
    featureCacheBytes: report.memoryBytes,
    featureCacheDiskBytes: report.diskBytes,
    featureCacheSavedMs: report.savedMs,
    releasedBytes: report.releasedBytes,
  };
}

function runOptions(
  trainer: TrainerApi,
  { backend, isShared }: { readonly backend: Backend; readonly isShared: boolean },
  { featureCache: cache, savings }: ResolvedProjectorOnlyOptions,
  settings: readonly Setting[],
): ConstructorParameters<typeof RunCaches>[0] {
  const { train, evaluation = {} } = trainer.options.data ?? {};
  const sources = [...(train === undefined ? [] : [train]), ...Object.values(evaluation)];
  const asked = cache.disk === undefined ? { folder: undefined, limitBytes: undefined } : cache.disk;
  // `on` and an object without `disk` keep features in memory alone; `auto` goes to disk where memory is too small.
  const usesDisk = asked !== false && (cache.disk !== undefined || cache.mode === "auto");
  return {
    mode: cache.mode === "auto" ? "auto" : "on",
    backend: backend.name,
    deviceLimitBytes: backend.hasOwnMemory === true ? DEVICE_BYTES : 0,
    memoryLimitBytes: cache.memoryBytes ?? machineMemoryBytes() / 4,
    disk: usesDisk
      ? {
          root: diskRoot(asked.folder, settings),
          limitBytes: asked.limitBytes,
          // What one process computes the others find there
          use: cache.disk === undefined && !isShared ? "ifNeeded" : "asked",
          isShared,
        }
      : undefined,
    ...(savings.releaseTower
      ? {
          release: {
            trainCount: train?.sampleCount ?? Number.NaN,
            evaluationCount: countSamples(Object.values(evaluation), () => 1),
            views: viewsOf(train),
          },
        }
      : {}),
    sampleCount: countSamples(sources),
    logger: trainer.logger,
  };
}

function countSamples(sources: readonly BatchSource[], times: (source: BatchSource) => number = viewsOf): number {
  return sources.reduce((sum, source) => sum + source.sampleCount * times(source), 0);
}

/** How often a sample has to be computed. */
function viewsOf(source: BatchSource | undefined): number {
  return source === undefined || source.augmentations.length === 0 ? 1 : (source.views ?? 1);
}

/** Of the machine, or of the container where one limits it. */
function machineMemoryBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

/** A folder in a config file is relative to that file; in code to the working directory. */
function diskRoot(folder: string | undefined, settings: readonly Setting[]): string {
  if (folder === undefined) return defaultCacheFolder();
  const file = settings.find(({ path, value }) => path.endsWith(".disk") && value === folder)?.file;
  return file === undefined ? resolve(folder) : resolve(dirname(file), folder);
}
