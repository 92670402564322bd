import type { BatchContext } from "@thaw/core";

/** What a run reads. */
export interface WarmthFacts {
  /** Samples of one epoch; NaN if it is not known. */
  readonly trainCount: number;
  /** Samples of all evaluation sources together. */
  readonly evaluationCount: number;
  /** Epochs after which the images of the training set come again. */
  readonly views: number;
}

/** What became of one batch. */
export interface WarmthBatch {
  readonly purpose: BatchContext["purpose"];
  readonly sampleCount: number;
  /** Items that had to be computed. */
  readonly misses: number;
  /** True if every output was made or found, so that nothing has to be computed by the model. */
  readonly isCovered: boolean;
  /** True if all that was ever computed is still kept. */
  readonly keepsAll: boolean;
  /** True if as much is known from earlier runs as this one will need. */
  readonly holdsAll: boolean;
}

/**
 * Tells when no more misses are to be expected: the sources were seen whole and everything was kept, or earlier runs
 * left enough, or, where that is not known or was wrong once, the images of as many epochs as there are views came
 * without a miss, evaluations between them included. Pure bookkeeping.
 */
export class Warmth {
  readonly #facts: WarmthFacts;
  #isRunning = false;
  #isCovered = true;
  #keepsAll = true;
  #holdsAll = false;
  #isTrusted = true;
  #evaluated = 0;
  #wholeEpochs = 0;
  #quietEpochs = 0;
  #epochSamples = 0;
  #epochMisses = 0;

  constructor(facts: WarmthFacts) {
    this.#facts = facts;
  }

  get isWarm(): boolean {
    if (!this.#isRunning || !this.#isCovered) return false;
    const { trainCount, evaluationCount, views } = this.#facts;
    const whole = this.#wholeEpochs + (this.#epochSamples >= trainCount ? 1 : 0);
    const isSeen = this.#keepsAll && whole >= views && this.#evaluated >= evaluationCount;
    return (this.#isTrusted && (isSeen || this.#holdsAll)) || this.#quietEpochs >= views;
  }

  /** A training run begins. */
  begin(): void {
    this.#isRunning = true;
  }

  beginEpoch(): void {
    this.#epochSamples = 0;
  }

  endEpoch(): void {
    if (this.#epochSamples >= this.#facts.trainCount) this.#wholeEpochs += 1;
    this.#quietEpochs = this.#epochSamples > 0 && this.#epochMisses === 0 ? this.#quietEpochs + 1 : 0;
    this.#epochSamples = 0;
    this.#epochMisses = 0;
  }

  /** Counts a batch. */
  see({ purpose, sampleCount, misses, isCovered, keepsAll, holdsAll }: WarmthBatch): void {
    if (purpose === "train") this.#epochSamples += sampleCount;
    if (purpose === "evaluate") this.#evaluated += sampleCount;
    this.#epochMisses += misses;
    if (misses > 0) this.#quietEpochs = 0;
    this.#isCovered &&= isCovered;
    this.#keepsAll = keepsAll;
    this.#holdsAll = holdsAll && misses === 0;
  }

  /** A miss came although none was expected: from now on only epochs without one count. */
  distrust(): void {
    this.#isTrusted = false;
    this.#quietEpochs = 0;
  }
}
