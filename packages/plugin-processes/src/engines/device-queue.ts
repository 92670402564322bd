import { deferred, type Deferred } from "../wire/deferred.js";
import type { DeviceEngine, DeviceSum } from "./engine.js";

/** What a queue asks of a card. */
export interface Card {
  /** 32 bits of the card's memory, now. */
  read(address: bigint): number;
  /** Begins to sum; gives what tells whether that is done. */
  begin(parts: DeviceSum["parts"], owner?: number): () => boolean;
}

interface Entry {
  readonly work: DeviceSum;
  readonly done: Deferred<void>;
  isDone?: () => boolean;
}

/**
 * Sums one after the other in the order in which they were asked for, each once its numbers are computed. Nothing waits
 * in a thread, neither on the host nor on the card: the host looks.
 */
export class DeviceQueue implements DeviceEngine {
  readonly #card: Card;
  readonly #waiting: Entry[] = [];
  #isLooking = false;

  constructor(card: Card) {
    this.#card = card;
  }

  sum(work: DeviceSum): Promise<void> {
    const done = deferred<void>();
    this.#waiting.push({ work, done });
    this.advance();
    if (!this.#isLooking) void this.#look();
    return done.promise;
  }

  /** Begins what can be begun, and tells who waits for what is done. */
  advance(): void {
    try {
      for (const entry of this.#waiting) {
        if (entry.isDone === undefined) {
          const { address, bits } = entry.work.marker;
          if (this.#card.read(address) !== bits) break;
          entry.isDone = this.#card.begin(entry.work.parts, entry.work.owner);
        }
      }
      while (this.#waiting[0]?.isDone?.() === true) {
        const { work, done } = this.#waiting.shift()!;
        work.onDone?.();
        done.resolve();
      }
    } catch (error) {
      this.fail(error as Error);
    }
  }

  /** Ends what is under way. */
  fail(error: Error): void {
    for (const { done } of this.#waiting.splice(0)) done.reject(error);
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    while (this.#waiting.length > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      this.advance();
    }
    this.#isLooking = false;
  }
}
