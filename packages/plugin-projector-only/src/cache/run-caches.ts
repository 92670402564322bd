import { itemsOf } from "@thaw/core";
import type { Batch, BatchContext, Logger, Model, PlannedContext, Rows } from "@thaw/core";
import { SegmentCache, type SegmentCacheOptions, type SegmentCacheReport } from "./segment-cache.js";
import { cacheableSegments } from "../segments.js";
import { TowerRelease, type TowerReleaseReport } from "../savings/tower-release.js";
import type { Warmth, WarmthFacts } from "./warmth.js";

/** What the caches of one run need to know from options and machine. */
export interface RunCachesOptions {
  readonly mode: "auto" | "on";
  /** Its name is part of the key on disk: backends differ in the last bits. */
  readonly backend: string;
  readonly tolerance?: number;
  readonly memoryLimitBytes: number;
  /** What features may take of a device's own memory; 0 where there is none. */
  readonly deviceLimitBytes: number;
  readonly disk?: SegmentCacheOptions["disk"];
  /** Samples of all sources of the run together, each as often as it has views; 0 if none is known. */
  readonly sampleCount: number;
  /** Present: a segment's parameters are freed once its outputs are known. */
  readonly release?: WarmthFacts;
  readonly logger: Logger;
}

/** What a run's caches did, closed ones included. */
export interface RunCachesReport extends Omit<SegmentCacheReport, "decision" | "offReason">, TowerReleaseReport {
  readonly segments: readonly string[];
  /** Sentences about decisions and drops. */
  readonly notes: readonly string[];
}

/** The caches of one run: one a segment, made when a batch first needs it, dropped when the segment begins to train. */
export class RunCaches {
  readonly #options: RunCachesOptions;
  readonly #model: Model;
  readonly #isTrainAugmented: boolean;
  readonly #caches = new Map<string, SegmentCache>();
  readonly #closed: { readonly name: string; readonly report: SegmentCacheReport }[] = [];
  readonly #notes: string[] = [];
  readonly #release: TowerRelease | undefined;

  constructor(options: RunCachesOptions, planned: PlannedContext) {
    this.#options = options;
    this.#model = planned.model;
    this.#release = options.release === undefined ? undefined : new TowerRelease(options.release, options.logger);
    const { augmentations = [], views } = planned.sources.get("train") ?? {};
    this.#isTrainAugmented = options.mode === "auto" && augmentations.length > 0 && views === undefined;
    if (this.#isTrainAugmented)
      this.#note(
        `The feature cache is off while training: the images change at random (${augmentations.join(", ")}), so ` +
          "none comes twice. With augment.views they come again.",
      );
  }

  /** What tells when a segment's parameters can go; undefined where they stay. */
  get warmth(): Warmth | undefined {
    return this.#release?.warmth;
  }

  /** The batch with `segmentOutputs` of every frozen segment that reads its items. */
  async batch(batch: Batch, context: BatchContext): Promise<Batch> {
    const segments = cacheableSegments(this.#model.segments, context.flows);
    await this.#dropOthers(
      segments.map(({ name }) => name),
      context.step,
    );
    if (this.#isTrainAugmented && context.purpose === "train") return batch;
    const outputs: Record<string, Rows> = {};
    const missesBefore = this.#misses;
    let isCovered = segments.length > 0;
    let holdsAll = isCovered;
    try {
      for (const segment of segments) {
        const { name } = segment;
        const items = itemsOf(segment, batch.media);
        if (batch.segmentOutputs[name] !== undefined || items.length === 0) continue;
        const cache = await this.#cacheOf(name, context);
        const output = await cache.output(items, batch.batchSize, context);
        if (output === undefined) isCovered = false;
        else outputs[name] = output;
        holdsAll &&= cache.holdsAll(items.length / batch.batchSize);
      }
      const keepsAll = [...this.#caches.values()].every((cache) => cache.keepsAll);
      const seen = {
        purpose: context.purpose,
        sampleCount: batch.batchSize,
        misses: this.#misses - missesBefore,
        isCovered,
        keepsAll,
        holdsAll: holdsAll && Object.keys(outputs).length > 0,
      };
      await this.#release?.after(
        seen,
        segments.map(({ name }) => name),
        context,
      );
    } catch (error) {
      for (const { tensor } of Object.values(outputs)) tensor.dispose();
      throw error;
    }
    return Object.keys(outputs).length === 0
      ? batch
      : { ...batch, segmentOutputs: { ...batch.segmentOutputs, ...outputs } };
  }

  get report(): RunCachesReport {
    const all = [...this.#closed, ...[...this.#caches].map(([name, cache]) => ({ name, report: cache.report }))];
    const sum = (pick: (report: SegmentCacheReport) => number): number =>
      all.reduce((total, { report }) => total + pick(report), 0);
    const notes = all
      .flatMap(({ report }) => report.offReason ?? report.decision?.reason ?? [])
      .map((reason) => `${reason[0]!.toUpperCase()}${reason.slice(1)}.`);
    return {
      ...(this.#release?.report ?? { releasedBytes: 0, restoreCount: 0 }),
      segments: [...new Set(all.map(({ name }) => name))],
      hits: sum(({ hits }) => hits),
      misses: sum(({ misses }) => misses),
      memoryBytes: sum(({ memoryBytes }) => memoryBytes),
      diskBytes: sum(({ diskBytes }) => diskBytes),
      savedMs: sum(({ savedMs }) => savedMs),
      notes: [...notes, ...this.#notes],
    };
  }

  get #misses(): number {
    return [...this.#caches.values()].reduce((sum, cache) => sum + cache.report.misses, 0);
  }

  /** Frees memory and closes files. */
  async close(): Promise<void> {
    for (const cache of this.#caches.values()) await cache.close();
    this.#caches.clear();
  }

  /** The segment's cache; a new one where its parameters are others than those that the old one was made with. */
  async #cacheOf(name: string, context: BatchContext): Promise<SegmentCache> {
    const fingerprint = await context.segmentFingerprint(name);
    const known = this.#caches.get(name);
    if (known?.fingerprint === fingerprint) return known;
    if (known !== undefined) await this.#drop(name, known, `its parameters were replaced before step ${context.step}`);
    const { backend, tolerance, memoryLimitBytes, deviceLimitBytes, disk, sampleCount, logger } = this.#options;
    const readers = this.#model.segments.filter(({ reads, name: reader }) => reads.length > 0 && !reader.includes("."));
    const cache = new SegmentCache({
      segment: this.#model.segments.find((segment) => segment.name === name)!,
      fingerprint,
      modelSource: `${this.#model.modelType}:${this.#model.source}`,
      backend,
      tolerance,
      memoryLimitBytes: memoryLimitBytes / Math.max(1, readers.length),
      deviceLimitBytes: deviceLimitBytes / Math.max(1, readers.length),
      disk,
      itemCount: (itemsPerSample) => (sampleCount === 0 ? undefined : Math.ceil(sampleCount * itemsPerSample)),
      logger,
    });
    this.#caches.set(name, cache);
    return cache;
  }

  async #dropOthers(names: readonly string[], step: number): Promise<void> {
    for (const [name, cache] of this.#caches) {
      if (!names.includes(name)) await this.#drop(name, cache, `it trains from step ${step} on`);
    }
  }

  async #drop(name: string, cache: SegmentCache, reason: string): Promise<void> {
    this.#caches.delete(name);
    this.#closed.push({ name, report: { ...cache.report, memoryBytes: 0, diskBytes: 0 } });
    this.#note(`The feature cache of ${name} was dropped, because ${reason}.`);
    await cache.close();
  }

  #note(text: string): void {
    this.#notes.push(text);
    this.#options.logger.info(text);
  }
}
