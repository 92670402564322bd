import type { ByteLru } from "../store/byte-lru.js";
import type { DiskStore } from "../store/disk-store.js";
import type { Feature } from "./feature.js";

/** What was asked for so far. Every distinct item of a request counts once. */
export interface CacheCounts {
  readonly memoryHits: number;
  readonly diskHits: number;
  /** Given because the same item was being fetched already, or came twice in a batch. */
  readonly sharedHits: number;
  readonly misses: number;
}

/** Where features may be kept. Both absent: nothing is kept, but concurrent requests still share. */
export interface FeatureStores {
  readonly memory?: ByteLru;
  readonly disk?: DiskStore;
}

/**
 * Features by key, from memory, from disk, or computed and then kept. A key is fetched once at a time: concurrent
 * requests for it, and repetitions in one request, wait for the first.
 */
export class FeatureCache {
  #stores: FeatureStores;
  readonly #pending = new Map<string, Promise<Feature>>();
  readonly #counts = { memoryHits: 0, diskHits: 0, sharedHits: 0, misses: 0 };
  #lostCount = 0;
  #memoryOnlyCount = 0;

  constructor(stores: FeatureStores) {
    this.#stores = stores;
  }

  get counts(): CacheCounts {
    return { ...this.#counts };
  }

  get stores(): FeatureStores {
    return this.#stores;
  }

  /** True as long as everything that was computed is there still, so that none of it is a miss again. */
  get keepsAll(): boolean {
    return this.#lostCount === 0 && (this.#memoryOnlyCount === 0 || this.#stores.memory?.evictedCount === 0);
  }

  /** Changes where features are kept from now on. */
  use(stores: FeatureStores): void {
    this.#stores = stores;
  }

  /**
   * The features of `keys`, in their order. `compute` gets the positions in `keys` that are to be computed (distinct
   * keys, ascending) and returns their features in that order. Rejects where `compute` does, for every request that
   * waits for one of its keys.
   */
  async get(
    keys: readonly string[],
    compute: (positions: readonly number[]) => Promise<readonly Feature[]>,
  ): Promise<Feature[]> {
    const found = new Map<string, Promise<Feature>>();
    const claimed: { readonly key: string; readonly position: number; readonly settle: Settle }[] = [];
    keys.forEach((key, position) => {
      const known = found.has(key) ? undefined : this.#stores.memory?.get(key);
      const pending = this.#pending.get(key);
      if (known !== undefined) {
        this.#counts.memoryHits += 1;
        found.set(key, Promise.resolve(known));
      } else if (found.has(key) || pending !== undefined) {
        this.#counts.sharedHits += 1;
        if (pending !== undefined) found.set(key, pending);
      } else {
        const { promise, ...settle } = deferred<Feature>();
        this.#pending.set(key, promise);
        found.set(key, promise);
        claimed.push({ key, position, settle });
      }
    });
    if (claimed.length > 0) await this.#fetch(claimed, compute);
    return Promise.all(keys.map((key) => found.get(key)!));
  }

  async #fetch(
    claimed: readonly { readonly key: string; readonly position: number; readonly settle: Settle }[],
    compute: (positions: readonly number[]) => Promise<readonly Feature[]>,
  ): Promise<void> {
    try {
      const { disk } = this.#stores;
      if (claimed.some(({ key }) => disk?.has(key) === false)) await disk?.refresh();
      const missing = [];
      for (const claim of claimed) {
        const feature =
          this.#stores.disk?.has(claim.key) === true ? await this.#stores.disk.read(claim.key) : undefined;
        if (feature === undefined) {
          missing.push(claim);
          continue;
        }
        this.#counts.diskHits += 1;
        this.#stores.memory?.set(claim.key, feature);
        claim.settle.resolve(feature);
      }
      if (missing.length === 0) return;
      this.#counts.misses += missing.length;
      const features = await compute(missing.map((claim) => claim.position));
      for (const [index, claim] of missing.entries()) {
        const feature = features[index]!;
        const isInMemory = this.#stores.memory?.set(claim.key, feature) === true;
        await this.#stores.disk?.write(claim.key, feature);
        if (this.#stores.disk?.has(claim.key) !== true) {
          if (isInMemory) this.#memoryOnlyCount += 1;
          else this.#lostCount += 1;
        }
        claim.settle.resolve(feature);
      }
    } catch (error) {
      for (const claim of claimed) claim.settle.reject(error);
    } finally {
      for (const claim of claimed) this.#pending.delete(claim.key);
    }
  }
}

interface Settle {
  resolve(feature: Feature): void;
  reject(error: unknown): void;
}

function deferred<T>(): { readonly promise: Promise<T>; resolve(value: T): void; reject(error: unknown): void } {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // Whoever asked sees the rejection through `Promise.all`; without this a rejection before that is "unhandled".
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
