import { firstNotFinite, type BatchContext, type Logger, type MediaItem, type Rows, type Segment } from "@thaw/core";
import { featureNotFinite } from "../errors.js";
import { ByteLru } from "../store/byte-lru.js";
import { type CacheDecision, decideCache } from "./decide.js";
import type { DiskStore } from "../store/disk-store.js";
import { FeatureCache } from "./feature-cache.js";
import { type Feature, featureBytes } from "./feature.js";
import { DeviceFeatures } from "./device-features.js";
import { splitRows } from "./feature-tensor.js";
import { type DiskPlace, openStore, withoutDisk } from "../store/open-store.js";
import { selfTestFailure } from "../self-test.js";

/** What a segment's cache is made of. */
export interface SegmentCacheOptions {
  readonly segment: Segment;
  /** Of the segment's parameters. */
  readonly fingerprint: string;
  /** Where `segment.signature` is absent. */
  readonly modelSource: string;
  readonly backend: string;
  readonly memoryLimitBytes: number;
  /** Of features that stay on the device. */
  readonly deviceLimitBytes: number;
  /** `asked`: use it; `ifNeeded`: where memory is too small. Undefined: never. */
  readonly disk?: DiskPlace & { readonly use: "asked" | "ifNeeded" };
  /** How far features that were computed twice may differ, of the largest value. */
  readonly tolerance?: number;
  /** Of all sources; an estimate made from the first batch. */
  itemCount(itemsPerSample: number): number | undefined;
  readonly logger: Logger;
}

/** What a segment's cache did. */
export interface SegmentCacheReport {
  readonly hits: number;
  readonly misses: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  /** Of hits, at the measured cost of a miss. */
  readonly savedMs: number;
  readonly decision?: CacheDecision;
  /** Why the cache is not used, if it is not. */
  readonly offReason?: string;
}

type Runs = Pick<BatchContext, "runSegment">;

/**
 * The outputs of one frozen segment, of items of any number of rows, kept between batches, with the decision where and
 * the test that they are right.
 */
export class SegmentCache {
  readonly #options: SegmentCacheOptions;
  readonly #cache: FeatureCache;
  readonly #memory: ByteLru;
  readonly #device: DeviceFeatures;
  #opened: Promise<void> | undefined;
  #disk: DiskStore | undefined;
  #diskLimitBytes = 0;
  #isDiskTested = false;
  #isTested = false;
  #isFailureTold = false;
  #decision: CacheDecision | undefined;
  #offReason: string | undefined;
  #computedMs = 0;
  #computedCount = 0;

  constructor(options: SegmentCacheOptions) {
    this.#options = options;
    this.#memory = new ByteLru(options.memoryLimitBytes);
    this.#device = new DeviceFeatures(options.deviceLimitBytes);
    this.#cache = new FeatureCache({ memory: this.#memory });
  }

  get fingerprint(): string {
    return this.#options.fingerprint;
  }

  /** See {@link FeatureCache.keepsAll}. */
  get keepsAll(): boolean {
    return this.#offReason === undefined && this.#cache.keepsAll;
  }

  /**
   * True if earlier runs left at least as many features on disk as this one has items, by the estimate from one batch.
   */
  holdsAll(itemsPerSample: number): boolean {
    const expected = this.#options.itemCount(itemsPerSample);
    return (
      this.#offReason === undefined &&
      this.#disk !== undefined &&
      expected !== undefined &&
      this.#disk.entryCount >= expected
    );
  }

  get report(): SegmentCacheReport {
    const { memoryHits, diskHits, sharedHits, misses } = this.#cache.counts;
    const hits = memoryHits + diskHits + sharedHits;
    return {
      hits,
      misses,
      memoryBytes: this.#memory.bytes,
      diskBytes: this.#disk?.bytes ?? 0,
      savedMs: this.#computedCount === 0 ? 0 : (hits * this.#computedMs) / this.#computedCount,
      decision: this.#decision,
      offReason: this.#offReason,
    };
  }

  /**
   * The segment's output for the items, row after row, which the caller owns; undefined where the cache is off, so that
   * the model runs the segment itself. Rejects where an item cannot be loaded.
   */
  async output(items: readonly MediaItem[], batchSize: number, runs: Runs): Promise<Rows | undefined> {
    if (this.#offReason !== undefined) return undefined;
    this.#opened ??= this.#openDisk(this.#options.disk?.use === "asked");
    await this.#opened;
    await this.#testDisk(items, runs);
    const itemsPerSample = items.length / Math.max(1, batchSize);
    const keys = items.map(({ contentKey }) => contentKey);
    const features = await this.#cache.get(keys, (positions) =>
      this.#computeMissing(
        positions.map((position) => items[position]!),
        itemsPerSample,
        runs,
      ),
    );
    const widths = new Set(features.map(({ shape }) => shape[1]));
    if (this.#offReason === undefined && widths.size > 1)
      this.#turnOff(`the features kept for it have rows of different widths (${[...widths].join(", ")})`);
    // A failed self-test turns the cache off while it runs: then these features are not to be trusted either.
    if (this.#offReason !== undefined) return undefined;
    await this.#decide(features, itemsPerSample);
    this.#noticeDiskFailure();
    return this.#device.join(keys, features);
  }

  /**
   * Forgets what is in memory and closes the disk store; what is on disk stays, under the fingerprint it was made with.
   */
  async close(): Promise<void> {
    await this.#opened?.catch(() => undefined);
    this.#cache.use({});
    this.#memory.clear();
    this.#device.clear();
    await this.#disk?.close();
  }

  async #computeMissing(items: readonly MediaItem[], itemsPerSample: number, runs: Runs): Promise<readonly Feature[]> {
    const features = await this.#compute(items, runs);
    if (!this.#isTested) {
      this.#isTested = true;
      const [alone] = await this.#compute(items.slice(-1), runs);
      const failure = selfTestFailure(features.at(-1)!, alone!, "computed in a batch", this.#options.tolerance);
      if (failure !== undefined) this.#turnOff(failure);
    }
    await this.#decide(features, itemsPerSample);
    return features;
  }

  async #compute(items: readonly MediaItem[], runs: Runs): Promise<Feature[]> {
    const start = performance.now();
    const { name } = this.#options.segment;
    const features = await splitRows(await runs.runSegment(name, items));
    for (const [position, { values }] of features.entries()) {
      const index = firstNotFinite(values);
      if (index >= 0) throw featureNotFinite(name, items[position]!.contentKey, index, values[index]!);
    }
    this.#computedMs += performance.now() - start;
    this.#computedCount += items.length;
    return features;
  }

  /** Fixes where features are kept, once the size of some is known. */
  async #decide(features: readonly Feature[], itemsPerSample: number): Promise<void> {
    if (this.#decision !== undefined || this.#offReason !== undefined) return;
    const { segment, disk, logger, memoryLimitBytes } = this.#options;
    const decision = decideCache({
      bytesPerItem: Math.ceil(features.reduce((sum, feature) => sum + featureBytes(feature), 0) / features.length),
      itemCount: this.#options.itemCount(itemsPerSample),
      memoryLimitBytes,
      diskLimitBytes: this.#diskLimitBytes,
      wantsDisk: disk?.use === "asked" && this.#disk !== undefined,
    });
    this.#decision = decision;
    this.#memory.evicts = decision.evicts;
    if (decision.disk) await this.#openDisk(true);
    // A store that is there but not needed is read from, not added to.
    else if (this.#disk !== undefined) this.#disk.limitBytes = 0;
    logger.info(`Feature cache of ${segment.name}: ${decision.reason}.`);
  }

  /** Opens the disk store. What goes wrong is a warning: features are then computed. */
  async #openDisk(create: boolean): Promise<void> {
    const { disk, segment, fingerprint, backend, modelSource, logger } = this.#options;
    if (disk === undefined || this.#disk !== undefined) return;
    try {
      const identity = {
        segment: segment.name,
        fingerprint,
        signature: signatureOf(segment, modelSource),
        backend,
        dtype: "F32",
      } as const;
      const { store, limitBytes } = await openStore(disk, identity, create);
      this.#diskLimitBytes = limitBytes;
      this.#disk = store;
      if (store !== undefined) this.#cache.use({ memory: this.#memory, disk: store });
    } catch (error) {
      logger.warn(withoutDisk(disk.root, error));
    }
  }

  /** Recomputes the first item that comes from disk, which another run wrote. */
  async #testDisk(items: readonly MediaItem[], runs: Runs): Promise<void> {
    const disk = this.#disk;
    if (disk === undefined || this.#isDiskTested) return;
    const item = items.find(({ contentKey }) => disk.isForeign(contentKey));
    if (item === undefined) return;
    this.#isDiskTested = true;
    const kept = await disk.read(item.contentKey);
    if (kept === undefined) return;
    const [computed] = await this.#compute([item], runs);
    const failure = selfTestFailure(kept, computed!, `in ${disk.folder}`, this.#options.tolerance);
    if (failure !== undefined) this.#turnOff(failure);
  }

  #noticeDiskFailure(): void {
    if (this.#disk?.failure === undefined || this.#isFailureTold) return;
    this.#isFailureTold = true;
    this.#options.logger.warn(withoutDisk(this.#disk.folder, this.#disk.failure));
  }

  #turnOff(reason: string): void {
    this.#offReason = reason;
    this.#memory.clear();
    this.#device.clear();
    this.#cache.use({});
    this.#options.logger.warn(
      `The feature cache of ${this.#options.segment.name} is off: ${reason}. The run goes on and computes every ` +
        "image. If the model is right, report this; to silence it set featureCache to off.",
    );
  }
}

/** What decides the output besides values, with the columns that it is declared to have. */
function signatureOf({ signature, outputs }: Segment, modelSource: string): string {
  return [signature ?? modelSource, ...(outputs ?? []).map(({ name, width }) => `${name} ${width}`)].join("\n");
}
