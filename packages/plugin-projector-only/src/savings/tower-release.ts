import { bytesText, type BatchContext, type Logger } from "@thaw/core";
import { Warmth, type WarmthBatch, type WarmthFacts } from "../cache/warmth.js";

/** What releasing did. */
export interface TowerReleaseReport {
  /** Bytes of parameters that are not in memory now, or were not at the end. */
  readonly releasedBytes: number;
  /** How often they were read again. */
  readonly restoreCount: number;
}

/** Has core free the parameters of segments whose outputs are all known, and sees when they are needed again. */
export class TowerRelease {
  readonly warmth: Warmth;
  readonly #logger: Logger;
  readonly #released = new Map<string, number>();
  /** Segments of which nothing can be freed. */
  readonly #fixed = new Set<string>();
  #restoreCount = 0;

  constructor(facts: WarmthFacts, logger: Logger) {
    this.warmth = new Warmth(facts);
    this.#logger = logger;
  }

  get report(): TowerReleaseReport {
    return {
      releasedBytes: [...this.#released.values()].reduce((sum, bytes) => sum + bytes, 0),
      restoreCount: this.#restoreCount,
    };
  }

  /** Counts a batch whose outputs are known now; frees what is not needed any more. */
  async after(batch: WarmthBatch, segments: readonly string[], context: BatchContext): Promise<void> {
    this.warmth.see(batch);
    if (batch.misses > 0 && this.#released.size > 0) {
      this.#released.clear();
      this.#restoreCount += 1;
      this.warmth.distrust();
    }
    if (!this.warmth.isWarm) return;
    for (const name of segments) {
      if (this.#released.has(name) || this.#fixed.has(name)) continue;
      const bytes = await context.releaseSegment(name);
      if (bytes === 0) this.#fixed.add(name);
      else {
        this.#released.set(name, bytes);
        this.#logger.info(
          `The parameters of ${name} were released from memory (${bytesText(bytes)}): its output is known for ` +
            "every image.",
        );
      }
    }
  }
}
