import { totalmem } from "node:os";
import { dirname, resolve } from "node:path";
import { API_VERSION, definePlugin, STAGE_LATE, type PlannedContext, type Setting, type Trainer } from "@thaw/core";
import { defaultCacheFolder } from "./disk-room.js";
import { projectorOnlySchema, type ProjectorOnlyOptions, type ResolvedFeatureCacheOptions, type ResolvedProjectorOnlyOptions } from "./options.js";
import { projectorOnlyRules } from "./rules.js";
import { RunCaches } from "./run-caches.js";
import { savingLines } from "./saving-lines.js";
import { SELF_TEST_TOLERANCES } from "./self-test.js";

export const PLUGIN_NAME = "ProjectorOnlyPlugin";

const CACHED = ["segmentOutputs:vision_tower", "segmentOutputs:audio_tower"];

/**
 * Savings when the vision tower is frozen: its output is computed once an image and kept, in memory and on disk. Works also where
 * more than the projector trains, as long as nothing in or before the tower does. Options: `projectorOnly`.
 */
export const projectorOnly = definePlugin<ProjectorOnlyOptions, ResolvedProjectorOnlyOptions>({
  name: PLUGIN_NAME,
  apiVersion: API_VERSION,
  configKey: "projectorOnly",
  optionsSchema: projectorOnlySchema,
  claims: ({ featureCache }) => (featureCache.mode === "off" ? {} : { reads: ["batch"], writes: ["batch", ...CACHED], exclusive: CACHED }),
  apply(trainer, options, settings) {
    const { hooks } = trainer;
    hooks.rules.tap(PLUGIN_NAME, (collector) => {
      for (const rule of projectorOnlyRules(options, settings)) collector.add(rule);
    });
    if (options.featureCache.mode === "off") return;
    // One instance may serve several trainers, and a trainer may open a session and then run: what each keeps is found by its trainer.
    const plans = new WeakMap<Trainer, PlannedContext>();
    const runs = new WeakMap<Trainer, RunCaches>();
    hooks.planned.tap(PLUGIN_NAME, (context) => void plans.set(trainer, context));
    hooks.initialize.tap(PLUGIN_NAME, ({ backend, training }) => {
      runs.set(trainer, new RunCaches({ ...runOptions(trainer, backend.name, options.featureCache, settings), tolerance: SELF_TEST_TOLERANCES[training.precision] }, plans.get(trainer)!));
    });
    // Late: other plugins may still change the batch's items.
    hooks.batch.tapPromise({ name: PLUGIN_NAME, stage: STAGE_LATE }, async (batch, context) => (await runs.get(trainer)?.batch(batch, context)) ?? batch);
    hooks.collectMetrics.tap(PLUGIN_NAME, (collector) => {
      const report = runs.get(trainer)?.report;
      if (report === undefined || report.segments.length === 0) return;
      collector.add("featureCacheHits", report.hits);
      collector.add("featureCacheMisses", report.misses);
      collector.add("featureCacheBytes", report.memoryBytes);
      collector.add("featureCacheDiskBytes", report.diskBytes);
      collector.add("featureCacheSavedMs", report.savedMs);
    });
    hooks.done.tap(PLUGIN_NAME, (summary) => {
      const report = runs.get(trainer)?.report;
      if (report === undefined) return;
      summary.lines.push(...savingLines(report));
      summary.numbers.featureCacheHits = report.hits;
      summary.numbers.featureCacheMisses = report.misses;
      summary.numbers.featureCacheBytes = report.memoryBytes;
      summary.numbers.featureCacheDiskBytes = report.diskBytes;
      summary.numbers.featureCacheSavedMs = report.savedMs;
    });
    hooks.shutdown.tapPromise(PLUGIN_NAME, async () => {
      await runs.get(trainer)?.close();
      runs.delete(trainer);
    });
  },
});

function runOptions(trainer: Trainer, backend: string, cache: ResolvedFeatureCacheOptions, settings: readonly Setting[]): ConstructorParameters<typeof RunCaches>[0] {
  const { train, evaluation = {} } = trainer.options.data ?? {};
  const sources = [...(train === undefined ? [] : [train]), ...Object.values(evaluation)];
  const asked = cache.disk === undefined ? { folder: undefined, limitBytes: undefined } : cache.disk;
  // `on` and an object without `disk` keep features in memory alone; `auto` goes to disk where memory is too small.
  const usesDisk = asked !== false && (cache.disk !== undefined || cache.mode === "auto");
  return {
    mode: cache.mode === "auto" ? "auto" : "on",
    backend,
    memoryLimitBytes: cache.memoryBytes ?? machineMemoryBytes() / 4,
    disk: usesDisk ? { root: diskRoot(asked.folder, settings), limitBytes: asked.limitBytes, use: cache.disk === undefined ? "ifNeeded" : "asked" } : undefined,
    sampleCount: sources.reduce((sum, source) => sum + source.sampleCount, 0),
    logger: trainer.logger,
  };
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
