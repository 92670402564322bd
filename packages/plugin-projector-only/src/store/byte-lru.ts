import { type Feature, featureBytes } from "../cache/feature.js";

/**
 * Features in memory, at most `limitBytes` of them. Full, it either drops what was used longest ago, or (`evicts:
 * false`) takes nothing more: where every pass over a shuffled set asks for more than fits, keeping the first that fit
 * gives more hits than dropping each one before it is asked for again.
 */
export class ByteLru {
  readonly limitBytes: number;
  /** May change while entries are held. */
  evicts: boolean;
  #bytes = 0;
  #evictedCount = 0;
  // A Map iterates in insertion order; `get` moves a key to the end, so the first is the one used longest ago.
  readonly #entries = new Map<string, Feature>();

  constructor(limitBytes: number, options: { readonly evicts?: boolean } = {}) {
    this.limitBytes = limitBytes;
    this.evicts = options.evicts ?? true;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get entryCount(): number {
    return this.#entries.size;
  }

  /** Entries that made room for others. */
  get evictedCount(): number {
    return this.#evictedCount;
  }

  /** The feature, which then counts as just used. */
  get(key: string): Feature | undefined {
    const feature = this.#entries.get(key);
    if (feature === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, feature);
    return feature;
  }

  /** Keeps the feature if it fits; false if it does not. */
  set(key: string, feature: Feature): boolean {
    this.delete(key);
    const bytes = featureBytes(feature);
    if (bytes > this.limitBytes || (!this.evicts && this.#bytes + bytes > this.limitBytes)) return false;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes + bytes <= this.limitBytes) break;
      this.delete(oldest);
      this.#evictedCount += 1;
    }
    this.#entries.set(key, feature);
    this.#bytes += bytes;
    return true;
  }

  delete(key: string): void {
    const feature = this.#entries.get(key);
    if (feature === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= featureBytes(feature);
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }
}
